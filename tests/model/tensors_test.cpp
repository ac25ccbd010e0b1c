// Every tensor of the graph must be there in its shape, and every tensor in the file must be of the graph.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class TensorsOf : public ::testing::TestWithParam<const char*> {
 protected:
  SmallModel model{GetParam()};
};

TEST_P(TensorsOf, EachIsNeeded) {
  for (const SmallTensor& t : model.tensors()) {
    SmallModel m = model;
    EXPECT_TRUE(is_refused(m.remove_tensor(t.name), {"tensor " + t.name, "missing"}));
  }
}

TEST_P(TensorsOf, EachHasOneShapeOnly) {
  for (const SmallTensor& t : model.tensors()) {
    std::vector<std::vector<std::uint64_t>> shapes;
    if (t.dims.size() == 2) {
      if (t.dims[0] != t.dims[1]) shapes.push_back({t.dims[1], t.dims[0]});
      shapes.push_back({t.n_elements()});
      shapes.push_back({t.dims[0], t.dims[1] / 2});
      shapes.push_back({t.dims[0], t.dims[1] / 2, 2});
      shapes.push_back({t.dims[0], t.dims[1], 1, 2});
    } else {
      shapes.push_back({t.dims[0] / 2});
      shapes.push_back({t.dims[0] + 1});
      shapes.push_back({1, t.dims[0]});
    }
    for (const auto& dims : shapes) {
      SmallModel m = model;
      m.tensor(t.name).dims = dims;
      m.tensor(t.name).data.resize(t.data.size() * 2 + 32);
      EXPECT_TRUE(is_refused(m, {"tensor " + t.name, "shape [" + std::to_string(dims[0])}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, TensorsOf,
                         ::testing::Values("bitnet-b1.58", "bitnet", "llama", "qwen3", "minicpm"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

TEST(Tensors, ThatHaveNoPlaceInTheGraphAreRefused) {
  const std::vector<float> values(128, 1.0F);
  for (const char* name :
       {"blk.0.attn_q.bias", "blk.2.attn_norm.weight", "blk.99.attn_q.weight", "blk.00.attn_norm.weight",
        "blk.0.attn_q_norm.weight", "blk.0.attn_q.weight.scale", "token_embd.scale", "output.bias",
        "output_norm.bias", "rope_freqs.weight", "x", "blk.0.attn_q.input_scale"}) {
    SmallModel m("bitnet-b1.58");
    EXPECT_TRUE(is_refused(m.add(f32_tensor(name, values)), {std::string("tensor ") + name}));
  }
  for (const char* name : {"blk.0.attn_sub_norm.weight", "blk.1.ffn_sub_norm.weight"}) {
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.add(f32_tensor(name, values)), {std::string("tensor ") + name}));
  }
  SmallModel m("llama");  // nothing to multiply: the head is the embedding
  EXPECT_TRUE(is_refused(m.add(f32_tensor("output.scale", 1.0F)), {"tensor output.scale"}));
  m = SmallModel("llama");
  EXPECT_TRUE(is_refused(m.add(f32_tensor("evil\n\x1b[2J", 1.0F)), {"tensor evil\\n\\x1b[2J"}));
}

TEST(Tensors, OfTypesThatAreNotReadAreRefusedByName) {
  for (const auto& [id, type] : {std::pair{9U, "Q8_1"},
                                 {23U, "IQ4_XS"},
                                 {15U, "Q8_K"},
                                 {37U, "I8_S"},
                                 {38U, "TL1"},
                                 {39U, "TL2"},
                                 {40U, "NVFP4"},
                                 {4U, "4"},
                                 {24U, "24"},
                                 {0xFFFFFFFFU, "4294967295"}}) {
    for (const char* name : {"token_embd.weight", "blk.1.ffn_down.weight", "output_norm.weight"}) {
      SmallModel m("bitnet-b1.58");
      m.tensor(name).type = id;
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, type}));
    }
  }
}

TEST(Tensors, RowsThatAreNotWholeBlocksAreRefused) {
  SmallModel m("llama", {.hidden = 64, .heads = 2, .kv_heads = 1});
  EXPECT_TRUE(is_refused(m, {"tensor blk.0.attn_q.weight", "I2_S", "64", "128"}));
}

TEST(Tensors, TernaryNormsAndScalesAreRefused) {
  const std::vector<std::int8_t> trits(128, 1);
  SmallModel m("llama");
  m.tensor("blk.1.ffn_norm.weight").set_i2s(trits, 1.0F);
  EXPECT_TRUE(is_refused(m, {"tensor blk.1.ffn_norm.weight", "two bits"}));
}

TEST(Tensors, ShorterThanTheirShapeAreRefused) {
  const SmallModel model("bitnet-b1.58");
  for (const SmallTensor& t : model.tensors()) {
    SmallModel m = model;
    m.tensor(t.name).data.resize(t.data.size() - 32);  // the next tensor, or the file's end, comes early
    EXPECT_TRUE(is_refused(m, {"tensor " + t.name, "only"}));
  }
}

TEST(Tensors, TheFirstMeaninglessCodeIsNamed) {
  const SmallModel model("bitnet-b1.58");
  for (const SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    for (const std::size_t element : {std::size_t{0}, t.n_elements() / 2 + 37, t.n_elements() - 1}) {
      SmallModel m = model;
      const std::size_t j = element % 128;
      const int shift = static_cast<int>(6 - 2 * (j / 32));
      m.tensor(t.name).data[element / 128 * 32 + j % 32] |= std::byte{3} << shift;
      m.tensor(t.name).data[t.n_elements() / 4 - 1] |= std::byte{3};  // the last element: never the first bad
      EXPECT_TRUE(is_refused(m, {"tensor " + t.name, "element " + std::to_string(element) + " "}));
    }
  }
}

TEST(Tensors, TheFirstMeaninglessCodeIsTheSameForAnyNumberOfThreads) {
  SmallModel m("bitnet-b1.58", {.layers = 1, .ffn = 32768});
  SmallTensor& t = m.tensor("blk.0.ffn_up.weight");
  for (const std::size_t group : {1000U, 20000U, 30000U}) t.data[group * 32 + 7] |= std::byte{0xC0};
  const AlignedBytes file = m.build();
  for (const unsigned n_threads : {0U, 1U, 2U, 5U}) {
    try {
      Model::from_bytes(file.span(), "m.gguf", {.n_threads = n_threads});
      FAIL() << "it loads";
    } catch (const ModelError& error) {
      EXPECT_TRUE(has(error.what(), "element 128007 "));
    }
  }
}

TEST(Tensors, ScalesThatAreNotFiniteAreRefused) {
  for (const float bad : {kNan, kInf, -kInf}) {
    SmallModel m("llama");
    SmallTensor& t = m.tensor("blk.1.attn_v.weight");
    std::memcpy(&t.data[t.n_elements() / 4], &bad, sizeof bad);
    EXPECT_TRUE(is_refused(m, {"tensor blk.1.attn_v.weight", "scale"}));
    m = SmallModel("llama");
    EXPECT_TRUE(is_refused(m.add(f32_tensor("blk.1.attn_v.scale", bad)), {"tensor blk.1.attn_v.scale"}));
  }
  SmallModel m("llama");  // each finite, their product not
  m.tensor("blk.0.attn_q.weight").set_i2s(std::vector<std::int8_t>(128 * 128), 1e30F);
  EXPECT_TRUE(is_refused(m.add(f32_tensor("blk.0.attn_q.scale", 1e30F)), {"blk.0.attn_q.scale", "finite"}));
}

TEST(Tensors, HeadsAndMatricesOfFloatsThatAreNotFiniteAreRefused) {
  const auto is_refused_with = [](SmallModel m, const char* name) {
    SmallTensor& t = m.tensor(name);
    std::vector<float> values(t.n_elements(), 0.5F);
    const std::size_t at = values.size() - 3;
    for (const float bad : {kNan, kInf, -kInf}) {
      values[at] = bad;
      t.set_f16(values);
      const std::string part = "value " + std::to_string(at) + " is not a finite number";
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, part}));
      t.set_f32(values);
      EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, part}));
    }
  };
  is_refused_with(SmallModel("bitnet-b1.58"), "token_embd.weight");  // the head too
  SmallModel two("bitnet-b1.58");
  SmallTensor head = two.tensor("token_embd.weight");
  head.name = "output.weight";
  is_refused_with(two.add(head), "output.weight");
  is_refused_with(SmallModel("llama"), "blk.1.ffn_down.weight");
}

TEST(Tensors, ScaleTensorsHoldOneValue) {
  const std::vector<float> two(2, 1.0F);
  SmallModel m("llama");
  EXPECT_TRUE(is_refused(m.add(f32_tensor("blk.0.attn_q.scale", two)), {"tensor blk.0.attn_q.scale"}));
}

TEST(Tensors, NormsThatAreNotFiniteAreRefused) {
  const SmallModel model("bitnet-b1.58");
  for (const SmallTensor& t : model.tensors()) {
    if (!t.is_norm()) continue;
    for (const float bad : {kNan, kInf, -kInf}) {
      std::vector<float> values(t.n_elements(), 1.0F);
      values.back() = bad;
      const std::string place = "value " + std::to_string(values.size() - 1);
      SmallModel m = model;
      m.tensor(t.name).set_f32(values);
      EXPECT_TRUE(is_refused(m, {"tensor " + t.name, place}));
      m.tensor(t.name).set_f16(values);
      EXPECT_TRUE(is_refused(m, {"tensor " + t.name, place}));
    }
  }
}

}  // namespace
}  // namespace bitnet::test
