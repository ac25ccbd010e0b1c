// MiniCPM's three factors and its divisors of frequencies, and what is refused of them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/against_reference.h"
#include "support/block_types.h"

namespace bitnet::test {
namespace {

TEST(MiniCpm, DiffersFromAReferenceWithoutOneOfItsFactors) {
  const SmallModel model = model_of("minicpm");
  const ReferenceGraph right = graph_of("minicpm");
  ASSERT_LT(error_of(model, right), kSinglePrecision);
  for (double ReferenceGraph::*const factor :
       {&ReferenceGraph::embedding_scale, &ReferenceGraph::residual_scale, &ReferenceGraph::logit_scale}) {
    ReferenceGraph wrong = right;
    wrong.*factor = 1;
    EXPECT_GT(error_of(model, wrong), kAnotherModel);
    wrong.*factor = 1 / (right.*factor);
    EXPECT_GT(error_of(model, wrong), kAnotherModel);
  }
}

TEST(MiniCpm, TakesItsFactorsFromTheKeysAndFromNowhereElse) {
  SmallModel large("minicpm");
  large.add(f32_tensor("blk.0.ffn_down.scale", 1e35F)).set("minicpm.residual_scale", 1e5F);
  EXPECT_TRUE(is_refused(large, {"blk.0.ffn_down.weight", "not a finite number"}));
  for (const char* key : {"minicpm.embedding_scale", "minicpm.residual_scale", "minicpm.logit_scale"}) {
    SmallModel model("minicpm");
    EXPECT_TRUE(is_refused(model.remove_key(key), {key, "missing"}));
    EXPECT_TRUE(is_refused(model.set(key, 0.0F), {key}));
    EXPECT_TRUE(is_refused(model.set(key, -1.0F), {key}));
    SmallModel other("llama");  // where nothing is made of them
    EXPECT_TRUE(
        is_refused(other.set("llama" + std::string(key).substr(7), 2.0F), {"_scale", "not implemented"}));
  }
}

// The factor of the embedding is not the head's, though they are one tensor.
TEST(MiniCpm, AHeadOfItsOwnOfTheSameValuesGivesTheSameLogits) {
  SmallModel own = model_of("minicpm");
  SmallTensor head = own.tensor("token_embd.weight");
  head.name = "output.weight";
  EXPECT_EQ(logits(own.add(head)), logits(model_of("minicpm")));
}

// Copies of the one tensor serve both, each with its own factor.
TEST(MiniCpm, ATiedHeadGivesTheSameLogitsWhereverItsWeightsAre) {
  SmallModel tied("minicpm", kWide);
  SmallTensor& embedding = tied.tensor("token_embd.weight");
  for (const std::uint32_t type : {kF16, kI2S}) {
    if (type == kI2S) {
      std::vector<std::int8_t> levels(embedding.n_elements());
      for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<std::int8_t>(i * i % 7 % 3 - 1);
      embedding.set_i2s(levels, 0.5F);
    }
    SmallModel own = tied;
    SmallTensor head = embedding;
    head.name = "output.weight";
    own.add(head);
    const AlignedBytes tied_file = tied.build();
    const AlignedBytes own_file = own.build();
    for (const LoadOptions& options : {LoadOptions{}, LoadOptions{.weights = WeightMemory::repack},
                                       LoadOptions{.i2s_layout = I2sLayout::arm}}) {
      EXPECT_EQ(all_logits(Model::from_bytes(tied_file.span(), "tied", options), {}),
                all_logits(Model::from_bytes(own_file.span(), "own", options), {}));
    }
  }
}

TEST(MiniCpm, ItsFactorsMultiplyWeightsOfEveryType) {
  constexpr SmallShape kWholeBlocks{.hidden = 256, .ffn = 512, .vocab = 301};
  for (const std::uint32_t type : {kQ4_K, kQ6_K, kQ8_0, kTQ2_0, kQ2_0}) {
    SmallModel packed("minicpm", kWholeBlocks);
    SmallTensor head = packed.tensor("token_embd.weight");
    head.name = "output.weight";
    packed.add(head);
    SmallTensor& embedding = packed.tensor("token_embd.weight");
    const PackedBlocks blocks = random_blocks(type, embedding.n_elements(), 3);
    SmallModel decoded = packed;
    embedding.type = type;
    embedding.data = blocks.bytes;
    decoded.tensor("token_embd.weight").set_f32(blocks.values);
    EXPECT_EQ(logits(packed), logits(decoded)) << type;
  }
}

TEST(MiniCpm, DividesFrequenciesByFactorsThatAreTheSameForLongAndShortTexts) {
  SmallModel model = model_of("minicpm");
  ReferenceGraph graph = graph_of("minicpm");
  std::vector<float> factors(32);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = 1 + static_cast<float>(i) / 4;
  for (std::size_t i = 0; i < factors.size(); ++i) graph.frequency[i] /= static_cast<double>(factors[i]);
  model.set("minicpm.rope.scaling.type", std::string("longrope"));
  model.add(f32_tensor("rope_factors_long.weight", factors));
  EXPECT_TRUE(is_refused(model, {"rope_factors_short.weight", "missing"}));
  model.add(f32_tensor("rope_factors_short.weight", factors));
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
  factors[7] += 1;
  model.remove_tensor("rope_factors_short.weight").add(f32_tensor("rope_factors_short.weight", factors));
  EXPECT_TRUE(
      is_refused(model, {"rope_factors_long.weight", "rope_factors_short.weight", "not implemented"}));

  SmallModel llama("llama");
  EXPECT_TRUE(is_refused(llama.set("llama.rope.scaling.type", std::string("longrope")), {"'longrope'"}));
}

}  // namespace
}  // namespace bitnet::test
