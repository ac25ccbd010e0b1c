// QK256 and BitNet32-F16, which are read where the metadata says so and nowhere else.
#include "model/custom_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "model/inspect/inspection.h"
#include "model/tensor_layout.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr std::uint32_t kI8 = 24;
constexpr const char* kMatrix = "blk.0.attn_q.weight";   // [128, 128]
constexpr const char* kOther = "blk.1.ffn_down.weight";  // [128, 256]

// A layout by the words of its format: element j of a block in byte j / 4 at bits 2 (j % 4), then the scale.
struct Format {
  friend std::ostream& operator<<(std::ostream& out, const Format& f) { return out << f.name; }

  std::string name;
  std::string codebook;  // empty: BitNet32
  std::vector<float> values;
  std::size_t block = 256;
  bool scaled = false;

  std::string prefix() const { return codebook.empty() ? "bitnet.bitnet32." : "bitnet.qk256."; }
  std::size_t block_bytes() const { return block / 4 + (scaled ? 2 : 0); }
  std::size_t row_bytes(std::size_t cols) const { return (cols + block - 1) / block * block_bytes(); }
};

std::vector<Format> formats() {
  const std::vector<float> ternary{-1, 0, 1};
  const std::vector<float> four_level{-2, -1, 1, 2};
  const std::vector<float> thirds{-1, -1.0F / 3, 1.0F / 3, 1};
  return {{"Ternary", "ternary", ternary},
          {"FourLevel", "four_level", four_level},
          {"Thirds", "thirds", thirds},
          {"ScaledTernary", "ternary", ternary, 256, true},
          {"ScaledFourLevel", "four_level", four_level, 256, true},
          {"ScaledThirds", "thirds", thirds, 256, true},
          {"BitNet32", "", ternary, 32, true}};
}

struct Packed {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

Packed pack(const Format& format, std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 random(seed);
  Packed packed;
  packed.bytes.resize(rows * format.row_bytes(cols));
  for (std::size_t row = 0; row < rows; ++row) {
    std::byte* block = &packed.bytes[row * format.row_bytes(cols)];
    for (std::size_t begin = 0; begin < cols; begin += format.block, block += format.block_bytes()) {
      const auto exponent = static_cast<int>(random() % 5);
      for (std::size_t j = 0; j < std::min(format.block, cols - begin); ++j) {
        const std::size_t code = random() % format.values.size();
        block[j / 4] |= static_cast<std::byte>(code << (2 * (j % 4)));
        packed.values.push_back(format.values[code] *
                                (format.scaled ? std::ldexp(1.0F, exponent - 4) : 1.0F));
      }
      if (!format.scaled) continue;
      const auto d = static_cast<std::uint16_t>((exponent - 4 + 15) << 10);
      std::memcpy(block + format.block / 4, &d, sizeof d);
    }
  }
  return packed;
}

// Stores tensors of the model so, and says so.
void store(SmallModel& m, const Format& format, const std::vector<std::string>& names) {
  std::vector<std::uint32_t> columns;
  for (const std::string& name : names) {
    SmallTensor& t = m.tensor(name);
    const std::size_t cols = t.dims[0];
    t.data = pack(format, t.dims[1], cols, static_cast<unsigned>(cols)).bytes;
    t.type = kI8;
    t.dims[0] = format.row_bytes(cols);
    columns.push_back(static_cast<std::uint32_t>(cols));
  }
  m.set(format.prefix() + "tensors", names).set(format.prefix() + "columns", columns);
  if (format.codebook.empty()) return;
  m.set(format.prefix() + "codebook", format.codebook);
  m.set(format.prefix() + "scales", std::string(format.scaled ? "block" : "none"));
}

class CustomLayout : public ::testing::TestWithParam<Format> {
 protected:
  const Format& format = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Formats, CustomLayout, ::testing::ValuesIn(formats()),
                         [](const auto& i) { return i.param.name; });

TEST_P(CustomLayout, EveryElementOfEveryRowDecodesByTheFormatsWords) {
  for (const std::size_t cols : {32U, 224U, 256U, 288U, 768U}) {
    const std::size_t rows = 3;
    const Packed packed = pack(format, rows, cols, 1);
    GgufBuilder b;
    b.add_array(format.prefix() + "tensors", std::vector<std::string>{"w"});
    b.add_array(format.prefix() + "columns", std::vector<std::uint64_t>{cols});
    if (!format.codebook.empty()) {
      b.add(format.prefix() + "codebook", format.codebook);
      b.add(format.prefix() + "scales", format.scaled ? "block" : "none");
    }
    b.add_tensor("w", {format.row_bytes(cols), rows}, kI8, packed.bytes);
    const AlignedBytes bytes(b.build());
    const gguf::File file = gguf::File::from_bytes(bytes.span(), "m.gguf");
    const gguf::Tensor& tensor = file.tensors()[0];
    const TensorLayout layout = layout_of(file, tensor, read_custom_layouts(file));
    ASSERT_NE(layout.type, nullptr);
    ASSERT_EQ(layout.cols(), cols);
    ASSERT_EQ(layout.rows(), rows);
    ASSERT_EQ(layout.type->n_bytes(rows, cols), packed.bytes.size());
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      layout.type->decode_row({layout.type->type, rows, cols, tensor.extent.data(), 1.0F}, r, row.data());
      for (std::size_t i = 0; i < cols; ++i) ASSERT_EQ(row[i], packed.values[r * cols + i]) << r << "," << i;
    }
  }
}

TEST_P(CustomLayout, IsReadForTheTensorsThatAreNamed) {
  for (const char* architecture : {"llama", "bitnet"}) {
    SmallModel m(architecture);
    store(m, format, {kMatrix, kOther});
    EXPECT_TRUE(loads(m));
    EXPECT_TRUE(LoadedModel(m).model.info().notes.empty());  // its keys are known to every architecture
  }
}

TEST_P(CustomLayout, GivesTheLogitsOfItsDecodedValues) {
  SmallModel packed("llama", {.hidden = 160, .heads = 5, .kv_heads = 1, .ffn = 544});  // a short last block
  SmallModel decoded = packed;
  std::vector<std::string> names;
  for (const SmallTensor& t : packed.tensors()) {
    if (!t.is_norm()) names.push_back(t.name);
  }
  for (const std::string& name : names) {
    SmallTensor& t = decoded.tensor(name);
    t.set_f32(pack(format, t.dims[1], t.dims[0], static_cast<unsigned>(t.dims[0])).values);
  }
  store(packed, format, names);
  EXPECT_TRUE(agree_unquantized(packed, decoded));
}

TEST_P(CustomLayout, IsToldByInspect) {
  SmallModel m("llama");
  std::uint64_t n_values = 0;
  for (const SmallTensor& t : m.tensors()) n_values += t.n_elements();
  store(m, format, {kMatrix, kOther});
  const auto inspected = [&] {
    const AlignedBytes file = m.build();
    return inspect({"m.gguf", file.span()}, 1);
  };
  const Inspection in = inspected();
  EXPECT_TRUE(in.is_usable());
  EXPECT_EQ(in.n_parameters, n_values);
  const TensorSummary& t = *std::ranges::find(in.tensors, kOther, &TensorSummary::name);
  EXPECT_TRUE(t.type.starts_with(format.codebook.empty() ? "BitNet32" : "QK256 (" + format.codebook))
      << t.type;
  EXPECT_EQ(t.dims, (std::array<std::uint64_t, 4>{256, 128, 1, 1}));
  const Packed packed = pack(format, 128, 256, 256);
  EXPECT_EQ(t.range->max, std::ranges::max(packed.values));
  EXPECT_EQ(t.zero_rate.has_value(), format.values.size() == 3);

  m.remove_key(format.prefix() + "columns");
  const Inspection refused = inspected();
  EXPECT_FALSE(refused.is_usable());
  EXPECT_TRUE(has(refused.refusal.value_or(""), "columns: missing"));
}

TEST_P(CustomLayout, NeedsEachOfItsKeys) {
  SmallModel model("llama");
  store(model, format, {kMatrix});
  for (const std::string& key : model.keys()) {
    if (!key.starts_with(format.prefix())) continue;
    SmallModel m = model;
    EXPECT_TRUE(is_refused(m.remove_key(key), {"key " + key, "missing"}));
    m = model;
    EXPECT_TRUE(is_refused(m.set(key, 1.5F), {"f32 1.5", "'" + key + "'"}));
  }
}

TEST_P(CustomLayout, KnowsNoOtherKey) {
  SmallModel m("llama");
  store(m, format, {kMatrix});
  m.set(format.prefix() + "zero_point", std::uint32_t{1});
  EXPECT_TRUE(is_refused(m, {"key " + format.prefix() + "zero_point", "unknown"}));
}

TEST_P(CustomLayout, IsRefusedWhereKeysAndTensorsContradictEachOther) {
  const std::string tensors = format.prefix() + "tensors";
  const std::string columns = format.prefix() + "columns";
  SmallModel model("llama");
  store(model, format, {kMatrix, kOther});
  const auto refused = [&](const std::function<void(SmallModel&)>& spoil,
                           std::initializer_list<std::string_view> parts) {
    SmallModel m = model;
    spoil(m);
    return is_refused(m, parts);
  };
  using Numbers = std::vector<std::int64_t>;
  using Names = std::vector<std::string>;
  EXPECT_TRUE(refused([&](auto& m) { m.set(columns, Numbers{128}); }, {columns, "1 numbers for 2 tensors"}));
  for (const std::int64_t cols : Numbers{-128, 0, 1, 127, 160 + 1, 512, std::int64_t{1} << 62}) {
    EXPECT_TRUE(refused([&](auto& m) { m.set(columns, Numbers{cols, 256}); }, {columns, kMatrix})) << cols;
  }
  EXPECT_TRUE(refused([&](auto& m) { m.set(columns, std::vector<float>{128, 256}); }, {columns}));
  EXPECT_TRUE(refused(
      [&](auto& m) {
        m.set(tensors, Names{kMatrix, "x\n"});
      },
      {"tensor x\\n is not in the file"}));
  EXPECT_TRUE(refused(
      [&](auto& m) {
        m.set(tensors, Names{kOther, kOther}).set(columns, Numbers{256, 256});
      },
      {tensors, kOther, "named twice"}));
  EXPECT_TRUE(refused([&](auto& m) { m.tensor(kMatrix).type = kI2S; }, {kMatrix, "type 36, not I8"}));
  EXPECT_TRUE(refused([&](auto& m) { m.set(tensors, Names{kMatrix}).set(columns, Numbers{128}); },
                      {std::string("tensor ") + kOther, "shape"}));
  EXPECT_TRUE(refused([&](auto& m) { m.tensor(kOther).data.resize(m.tensor(kOther).data.size() - 32); },
                      {std::string("tensor ") + kOther, "only"}));
  EXPECT_TRUE(refused([&](auto& m) { m.tensor(kMatrix).dims.push_back(2); }, {kMatrix, "shape"}));
}

TEST_P(CustomLayout, RefusesCodesThatStandForNothingButNotWhatIsBehindARow) {
  SmallModel model("llama");  // of 128 columns: half a block of 256
  store(model, format, {kMatrix});
  const bool has_three = format.values.size() == 4;
  const std::size_t last_row = 127 * format.row_bytes(128);
  for (const std::size_t at : {std::size_t{0}, last_row + (format.block == 32 ? 30 + 7 : 31)}) {
    SmallModel m = model;
    m.tensor(kMatrix).data[at] |= std::byte{0xC0};
    if (has_three) {
      EXPECT_TRUE(loads(m));
    } else {
      const std::string block = at == 0 ? "block 0" : format.block == 32 ? "block 511" : "block 127";
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + kMatrix, block, "code 3"}));
    }
  }
  if (format.block == 256) {
    model.tensor(kMatrix).data[32] |= std::byte{0xFF};
    EXPECT_TRUE(loads(model));
  }
}

TEST(CustomLayouts, RefuseScalesThatAreNotFinite) {
  for (const Format& format : formats()) {
    if (!format.scaled) continue;
    SmallModel m("llama");
    store(m, format, {kMatrix, kOther});
    const std::uint16_t nan = 0x7E00;
    std::memcpy(&m.tensor(kOther).data[format.row_bytes(256) + format.block / 4], &nan, sizeof nan);
    const std::string block = "block " + std::to_string(256 / format.block) + " ";
    EXPECT_TRUE(is_refused(m, {std::string("tensor ") + kOther, block, "scale"}));
  }
}

TEST(CustomLayouts, TakeNoWordThatTheyDoNotKnow) {
  SmallModel model("llama");
  store(model, formats()[0], {kMatrix});
  for (const char* key : {"bitnet.qk256.codebook", "bitnet.qk256.scales"}) {
    SmallModel m = model;
    EXPECT_TRUE(
        is_refused(m.set(key, std::string("Ternary")), {std::string("key ") + key, "'Ternary'", "none of"}));
  }
}

TEST(CustomLayouts, OfATensorThereCanBeOne) {
  SmallModel m("llama");
  store(m, formats()[3], {kMatrix});
  m.set("bitnet.bitnet32.tensors", std::vector<std::string>{kMatrix});
  m.set("bitnet.bitnet32.columns", std::vector<std::uint32_t>{128});
  EXPECT_TRUE(is_refused(m, {"key bitnet.bitnet32.columns", kMatrix}));
  m.tensor(kMatrix).dims[0] = 40 * 33;  // what both could be: rows of 20 blocks of 256 or 132 of 32
  m.set("bitnet.bitnet32.columns", std::vector<std::uint32_t>{4224});
  m.set("bitnet.qk256.columns", std::vector<std::uint32_t>{5120});
  m.tensor(kMatrix).data.resize(128 * 40 * 33);
  EXPECT_TRUE(is_refused(m, {"key bitnet.bitnet32.tensors", kMatrix, "named twice"}));
}

}  // namespace
}  // namespace bitnet::test
