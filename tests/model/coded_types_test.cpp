// Models whose matrices are codes of one or two bits in blocks with a scale each, and the ids that some of
// these types share.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "support/block_types.h"
#include "support/inspected.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr SmallShape kShape{.hidden = 256, .ffn = 512, .vocab = 301};  // whole blocks of every type
constexpr const char* kFirst = "token_embd.weight";
constexpr const char* kMiddle = "blk.0.ffn_up.weight";
constexpr const char* kLast = "output.weight";

SmallModel model_with_head() {
  SmallModel m("llama", kShape);
  m.remove_tensor("output_norm.weight").add(f32_tensor("output_norm.weight", std::vector<float>(256, 1.0F)));
  SmallTensor output = m.tensor(kFirst);
  output.name = kLast;
  return m.add(output);
}

// blocks: how they are laid out; id: what the file says of them.
void store(SmallTensor& t, std::uint32_t blocks, std::uint32_t id) {
  t.data = random_blocks(blocks, t.n_elements(), 4).bytes;
  t.type = id;
}

const TensorSummary& summary_of(const Inspection& in, std::string_view name) {
  return *std::ranges::find(in.tensors, name, &TensorSummary::name);
}

TEST(TypesWithOneId, AreToldByTheirSizeWhereverTheyAreInTheFile) {
  for (const char* name : {kFirst, kMiddle, kLast}) {
    for (const auto& [blocks, type] : {std::pair{kQ2_0, "Q2_0"}, {kPQ2_0, "Q2_0 (128)"}}) {
      SmallModel m = model_with_head();
      SmallTensor& t = m.tensor(name);
      store(t, blocks, 42);
      EXPECT_TRUE(loads(m)) << name << " " << type;
      const Inspection in = inspect_small(m);
      EXPECT_EQ(summary_of(in, name).type, type) << name;
      EXPECT_EQ(summary_of(in, name).bytes, t.data.size());
      const PackedBlocks packed = random_blocks(blocks, t.n_elements(), 4);
      EXPECT_EQ(summary_of(in, name).range->max, std::ranges::max(packed.values)) << name << " " << type;
      EXPECT_EQ(summary_of(in, name).range->min, std::ranges::min(packed.values)) << name << " " << type;
      const auto zeros = std::ranges::count(packed.values, 0.0F);
      EXPECT_EQ(summary_of(in, name).range->n_zero, static_cast<std::uint64_t>(zeros));
      EXPECT_EQ(summary_of(in, name).zero_rate,
                static_cast<double>(zeros) / static_cast<double>(t.n_elements()));
    }
  }
}

TEST(TypesWithOneId, AreToldInAFileWithoutPaddingAtItsEnd) {
  for (const std::uint32_t blocks : {kQ2_0, kPQ2_0}) {
    SmallModel m = model_with_head();
    SmallTensor& t = m.tensor(kLast);
    store(t, blocks, 42);
    ASSERT_NE(t.data.size() % 32, 0U);
    const std::size_t padding = 32 - t.data.size() % 32;
    const std::vector<std::byte> padded = m.to_gguf().build();
    const std::string refused =
        refusal(AlignedBytes(std::span(padded).first(padded.size() - padding)).span());
    EXPECT_EQ(refused, "");
  }
}

TEST(TypesWithOneId, AreRefusedByNameOrWithTheSizesThatWouldFit) {
  for (const char* name : {kFirst, kMiddle, kLast}) {
    SmallModel m = model_with_head();
    SmallTensor& t = m.tensor(name);
    store(t, kQ2_0, 42);
    const std::size_t n_bytes = t.data.size();
    for (const int change : {-32, 64}) {
      t.data.resize(n_bytes + static_cast<std::size_t>(change));
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, "type 42", "none fits",
                                 "Q2_0 takes " + std::to_string(n_bytes)}));
      const Inspection in = inspect_small(m);
      EXPECT_FALSE(in.is_usable());
      EXPECT_TRUE(has(summary_of(in, name).unread, "none fits"));
    }
    t.data.resize(t.n_elements() / 256 * 42);
    EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, "type 42, STQ1_0"}));
    EXPECT_EQ(summary_of(inspect_small(m), name).type, "STQ1_0");
    for (const std::uint32_t id : {142U, 143U}) {
      t.type = id;
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, "type " + std::to_string(id), "none fits"}));
    }
  }
}

class CodedTypes : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  static std::string name() { return std::string(block_type(GetParam()).name); }
};

INSTANTIATE_TEST_SUITE_P(Types, CodedTypes, ::testing::Values(kTQ1_0, kTQ2_0, kQ1_0, kQ2_0, kPQ2_0, kPTQ1_0),
                         [](const auto& i) { return std::string(block_type(i.param).name); });

TEST_P(CodedTypes, ServeForAnyMatrixAndAreToldByInspect) {
  SmallModel m = model_with_head();
  std::uint64_t n_elements = 0;
  for (SmallTensor& t : m.tensors()) {
    n_elements += t.n_elements();
    if (!t.is_norm()) store(t, GetParam(), GetParam());
  }
  EXPECT_TRUE(loads(m));
  const Inspection in = inspect_small(m);
  EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
  EXPECT_EQ(in.n_parameters, n_elements);
  EXPECT_EQ(summary_of(in, kMiddle).type, name());
  EXPECT_EQ(summary_of(in, kMiddle).zero_rate.has_value(), GetParam() != kQ1_0);  // which has no zeros
  for (const Finding& f : in.findings) EXPECT_NE(f.topic, "ternary") << f.what;
}

TEST_P(CodedTypes, GiveTheLogitsOfTheirDecodedValues) {
  SmallModel packed = model_with_head();
  SmallModel decoded = packed;
  for (SmallTensor& t : packed.tensors()) {
    if (t.is_norm()) continue;
    store(t, GetParam(), GetParam());
    decoded.tensor(t.name).set_f32(random_blocks(GetParam(), t.n_elements(), 4).values);
  }
  EXPECT_TRUE(agree_unquantized(packed, decoded));
  packed.remove_tensor(kLast);  // the embedding serves as the head
  decoded.remove_tensor(kLast);
  EXPECT_TRUE(agree_unquantized(packed, decoded));
}

TEST_P(CodedTypes, ThatAreCutShortAreRefused) {
  for (const char* name : {kFirst, kLast}) {
    SmallModel m = model_with_head();
    SmallTensor& t = m.tensor(name);
    store(t, GetParam(), GetParam());
    t.data.resize(t.data.size() - 32);
    EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, "cut short"}));
  }
}

TEST_P(CodedTypes, WithAScaleThatIsNotFiniteAreRefused) {
  const BlockLayout layout = layout_of(GetParam());
  for (const std::uint16_t d : {std::uint16_t{0x7C00}, std::uint16_t{0xFC00}, std::uint16_t{0x7E01}}) {
    SmallModel m = model_with_head();
    SmallTensor& t = m.tensor(kMiddle);
    store(t, GetParam(), GetParam());
    const std::size_t block = t.n_elements() / layout.elements - 1;
    std::memcpy(&t.data[block * layout.bytes + layout.scale_at], &d, sizeof d);
    EXPECT_TRUE(is_refused(m, {std::string("tensor ") + kMiddle, "block " + std::to_string(block), "scale"}));
    EXPECT_FALSE(inspect_small(m).is_usable());
  }
}

TEST_P(CodedTypes, TakeRowsOfWholeBlocksOnly) {
  SmallModel m("llama", {.hidden = 96, .heads = 3, .kv_heads = 1, .ffn = 512});
  SmallTensor& t = m.tensor(kFirst);
  t.type = GetParam();
  t.data.resize(4 * t.data.size());
  EXPECT_TRUE(is_refused(m, {std::string("tensor ") + kFirst, "96", "whole"}));
}

}  // namespace
}  // namespace bitnet::test
