// Loading a model copies no weights, and a hostile file costs no more memory than its size and a little.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "support/live_bytes.h"
#include "support/small_model.h"

namespace bitnet::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Outcome {
  bool refused = false;
  std::size_t peak_bytes = 0;
};

Outcome load(std::span<const std::byte> file) {
  Outcome outcome;
  const std::size_t before = live_bytes();
  reset_peak();
  try {
    const Model model = Model::from_bytes(file, "m.gguf");
  } catch (const ModelError&) {
    outcome.refused = true;
  }
  outcome.peak_bytes = peak_bytes() - before;
  return outcome;
}

void expect_refused_in_bounds(const SmallModel& model, const std::string& what) {
  const AlignedBytes file = model.build();
  const Outcome outcome = load(file.span());
  EXPECT_TRUE(outcome.refused) << what;
  EXPECT_LE(outcome.peak_bytes, file.span().size() + kMiB) << what;
}

TEST(ModelMemory, LoadingCopiesNoWeights) {
  const SmallModel model("llama", {.layers = 2, .hidden = 1024, .heads = 8, .kv_heads = 8, .ffn = 2048});
  const AlignedBytes file = model.build();
  load(file.span());  // what is made once and kept: hash seeds, pattern tables
  const Outcome outcome = load(file.span());
  EXPECT_FALSE(outcome.refused);
  EXPECT_GT(file.span().size(), 5 * kMiB);
  EXPECT_LT(outcome.peak_bytes, kMiB / 8);
}

TEST(ModelMemory, AnAbsurdNumberInAnyKeyTakesNoMemory) {
  const SmallModel model("bitnet-b1.58", {.layers = 1});
  for (const char* suffix : {"vocab_size", "context_length", "embedding_length", "block_count",
                             "feed_forward_length", "rope.dimension_count", "attention.head_count",
                             "attention.head_count_kv", "attention.key_length", "attention.value_length"}) {
    // The largest that are let through for one or another of them, and what no model has.
    for (const std::uint64_t value :
         {1U << 12, 1U << 20, 1U << 22, 1U << 24, 1U << 30, std::numeric_limits<std::uint32_t>::max()}) {
      SmallModel m = model;
      m.set(m.key(suffix), value);
      if (suffix == std::string("context_length") && value <= 1U << 20) {
        EXPECT_TRUE(loads(m));
        continue;
      }
      expect_refused_in_bounds(m, suffix + (" = " + std::to_string(value)));
    }
  }
}

TEST(ModelMemory, ManyTensorsForManyLayersThatAreNotThere) {
  SmallModel m("llama", {.layers = 1});
  m.set(m.key("block_count"), std::uint32_t{4096});
  for (int i = 0; i < 4096; ++i) m.add(f32_tensor("x" + std::to_string(i), std::vector<float>(16)));
  expect_refused_in_bounds(m, "4096 layers");
}

TEST(ModelMemory, ManyUnknownKeysAreNotKept) {
  SmallModel m("llama", {.layers = 1});
  GgufBuilder b = m.remove_tensor("output_norm.weight").to_gguf();
  for (std::uint32_t i = 0; i < 100000; ++i) b.add("llama." + std::to_string(i), true);
  const AlignedBytes file(b.build());
  const Outcome outcome = load(file.span());
  EXPECT_TRUE(outcome.refused);
  EXPECT_LE(outcome.peak_bytes, file.span().size() + kMiB);
}

TEST(ModelMemory, AVocabularyWithoutItsEmbeddingTakesNoMemory) {
  constexpr std::size_t kTokens = 500000;
  SmallModel m("bitnet", {.layers = 1});
  m.remove_key(m.key("vocab_size"));
  m.set("tokenizer.ggml.tokens", std::vector<std::string>(kTokens));
  m.set("tokenizer.ggml.scores", std::vector<float>(kTokens));
  m.set("tokenizer.ggml.token_type", std::vector<std::int32_t>(kTokens, 1));
  const AlignedBytes file = m.build();
  const Outcome outcome = load(file.span());
  EXPECT_TRUE(outcome.refused);
  EXPECT_LE(outcome.peak_bytes, kMiB / 8);
}

// The search tables of a tokenizer are larger than the lists they are made of, by a factor that no file can
// raise.
TEST(ModelMemory, ATokenizerCostsABoundedMultipleOfItsLists) {
  SmallModel m("llama", {.layers = 1});
  const AlignedBytes plain = m.build();
  std::vector<std::string> merges(300000, "a b");
  merges.back() = "broken";
  m.set("tokenizer.ggml.merges", merges);
  const AlignedBytes file = m.build();
  const Outcome outcome = load(file.span());
  EXPECT_TRUE(outcome.refused);
  EXPECT_LE(outcome.peak_bytes, 7 * (file.span().size() - plain.span().size()));
}

}  // namespace
}  // namespace bitnet::test
