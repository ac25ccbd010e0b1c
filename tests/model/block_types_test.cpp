// Models whose embedding, LM head or layers are stored in blocks that are not ternary.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "quant/tensor_type.h"
#include "support/block_types.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr const char* kEmbedding = "token_embd.weight";
constexpr SmallShape kWholeBlocks{.hidden = 256, .ffn = 512, .vocab = 301};  // whole blocks of every type

void add_head(SmallModel& m) {
  SmallTensor output = m.tensor(kEmbedding);
  output.name = "output.weight";
  m.add(output);
}

class BlockTypes : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void pack(SmallTensor& t) const {
    t.type = GetParam();
    t.data = random_blocks(GetParam(), t.n_elements(), kSeed).bytes;
  }
  // The values that pack gives.
  void decode(SmallTensor& t) const { t.set_f32(random_blocks(GetParam(), t.n_elements(), kSeed).values); }

  void spoil_scale(SmallTensor& t, std::size_t block) const {
    const BlockLayout layout = layout_of(GetParam());
    const std::uint16_t infinity = 0x7C00;
    std::memcpy(&t.data[block * layout.bytes + layout.scale_at], &infinity, sizeof infinity);
  }

  std::string type_name() const { return std::string(block_type(GetParam()).name); }

  static constexpr unsigned kSeed = 4;
};

INSTANTIATE_TEST_SUITE_P(Types, BlockTypes,
                         ::testing::Values(kQ8_0, kQ6_K, kQ4_0, kQ5_K, kQ4_K, kQ3_K, kQ2_K, kQ5_1, kQ5_0,
                                           kQ4_1, kIQ4_NL),
                         [](const auto& i) { return std::string(block_type(i.param).name); });

// The same bits: nothing but the way the values are stored differs.
TEST_P(BlockTypes, AnEmbeddingGivesTheLogitsOfItsDecodedValues) {
  for (const char* architecture : {"bitnet-b1.58", "llama"}) {
    SmallModel packed(architecture, kWholeBlocks);
    SmallModel decoded = packed;
    pack(packed.tensor(kEmbedding));
    decode(decoded.tensor(kEmbedding));
    EXPECT_TRUE(LoadedModel(packed).model.info().tied_output);
    EXPECT_EQ(logits(packed), logits(decoded)) << architecture;
  }
}

TEST_P(BlockTypes, AHeadOfItsOwnGivesTheLogitsOfItsDecodedValues) {
  SmallModel packed("llama", kWholeBlocks);
  add_head(packed);
  SmallModel decoded = packed;
  pack(packed.tensor("output.weight"));
  decode(decoded.tensor("output.weight"));
  EXPECT_FALSE(LoadedModel(packed).model.info().tied_output);
  EXPECT_EQ(logits(packed), logits(decoded));
  const float scale = 0.3F;
  packed.add(f32_tensor("output.scale", scale));
  decoded.add(f32_tensor("output.scale", scale));
  EXPECT_EQ(logits(packed), logits(decoded));
}

TEST_P(BlockTypes, MatricesOfLayersAndNormsMayHaveThem) {
  SmallModel packed("bitnet-b1.58", kWholeBlocks);
  SmallModel decoded = packed;
  for (const char* name : {"blk.0.attn_q.weight", "blk.1.attn_output.weight", "blk.0.ffn_up.weight",
                           "blk.1.ffn_down.weight", "blk.1.ffn_norm.weight", "output_norm.weight"}) {
    pack(packed.tensor(name));
    decode(decoded.tensor(name));
    EXPECT_EQ(logits(packed), logits(decoded)) << name;
  }
}

TEST_P(BlockTypes, RowsThatAreNotWholeBlocksAreRefused) {
  SmallModel m("llama", kWholeBlocks);
  m.add({.name = "blk.0.attn_q.scale", .dims = {1}, .type = GetParam(), .data = std::vector<std::byte>(210)});
  EXPECT_TRUE(is_refused(m, {"tensor blk.0.attn_q.scale", type_name() + " rows of 1 values"}));
}

TEST_P(BlockTypes, DataCutShortIsRefused) {
  for (const bool last : {false, true}) {
    SmallModel m("llama", kWholeBlocks);
    if (last) {
      add_head(m);
      pack(m.tensor("output.weight"));
    }
    SmallTensor& t = m.tensor(last ? "output.weight" : kEmbedding);
    pack(t);
    t.data.resize(t.data.size() - 32);
    EXPECT_TRUE(is_refused(m, {"tensor " + t.name, "needs ", "only"}));
  }
}

TEST_P(BlockTypes, TheFirstScaleThatIsNotFiniteIsNamedForAnyNumberOfThreads) {
  SmallModel m("llama", {.layers = 1, .hidden = 256, .vocab = 8001});
  SmallTensor& t = m.tensor(kEmbedding);
  pack(t);
  const std::size_t n_blocks = t.n_elements() / layout_of(GetParam()).elements;
  for (const std::size_t block : {n_blocks - 1, n_blocks / 2 + 7, n_blocks / 3}) {
    spoil_scale(t, block);
    const std::string want =
        std::string("tensor ") + kEmbedding + ": block " + std::to_string(block) + " has a scale";
    EXPECT_TRUE(is_refused(m, {want}));
    const AlignedBytes file = m.build();
    for (const unsigned n_threads : {1U, 2U, 5U}) {
      try {
        Model::from_bytes(file.span(), "m.gguf", {.n_threads = n_threads});
        FAIL() << "it loads";
      } catch (const ModelError& error) {
        EXPECT_TRUE(has(error.what(), want));
      }
    }
  }
}

TEST_P(BlockTypes, AScaleThatIsNotFiniteIsRefusedInAnyTensor) {
  for (const char* name : {"blk.0.attn_k.weight", "blk.1.ffn_down.weight", "output_norm.weight"}) {
    SmallModel m("llama", kWholeBlocks);
    pack(m.tensor(name));
    EXPECT_TRUE(loads(m));
    spoil_scale(m.tensor(name), 0);
    EXPECT_TRUE(is_refused(m, {std::string("tensor ") + name, "finite"}));
  }
}

TEST(Q6K, TakesRowsOf256Only) {
  SmallModel m("llama");  // of 128
  m.tensor(kEmbedding).type = kQ6_K;
  EXPECT_TRUE(is_refused(m, {"tensor token_embd.weight", "Q6_K rows of 128 values", "256"}));
}

}  // namespace
}  // namespace bitnet::test
