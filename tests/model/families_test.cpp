// What each family computes, and each kind of rope scaling.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bitnet/session.h"
#include "kernels/kernels.h"
#include "model/against_reference.h"
#include "support/double_reference.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

class Families : public ::testing::TestWithParam<const char*> {};

TEST_P(Families, AgreeWithTheReference) {
  EXPECT_LT(error_of(model_of(GetParam()), graph_of(GetParam())), kSinglePrecision);
}

// Each of them a way to text that looks like text.
TEST_P(Families, DifferFromTheReferenceWithOneThingChanged) {
  const SmallModel model = model_of(GetParam());
  const ReferenceGraph right = graph_of(GetParam());
  ReferenceGraph wrong = right;
  wrong.neighbours = !right.neighbours;
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "rotated pairs";
  wrong = right;
  wrong.frequency = plain_frequencies(1e6, 2 * right.frequency.size());
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "frequencies";
  wrong = right;
  wrong.relu_squared = !right.relu_squared;
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "activation";
  SmallModel shifted = model;  // query head i reads another key head than i / 2
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const char* name : {"attn_k.weight", "attn_v.weight"}) {
      std::vector<std::byte>& data = shifted.tensor(std::string(layer) + name).data;
      std::rotate(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(data.size() / 2), data.end());
    }
  }
  EXPECT_LT(error_of(shifted, right), kSinglePrecision);
  EXPECT_NE(logits(shifted), logits(model)) << "key heads";
}

TEST_P(Families, TakeTheEpsilonThatTheFileNames) {
  SmallModel model = model_of(GetParam());
  ReferenceGraph graph = graph_of(GetParam());
  model.set(model.key("attention.layer_norm_rms_epsilon"), 0.25F);
  EXPECT_GT(error_of(model, graph), kAnotherModel);
  graph.epsilon = 0.25;
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
}

TEST_P(Families, GiveTheSameBitsWhateverTheBackendThreadsAndChunks) {
  const LoadedModel loaded(SmallModel(GetParam(), kWide));
  for (const ActivationType activations : {ActivationType::int8, ActivationType::f32}) {
    SessionOptions options{
        .n_threads = 1, .prefill_chunk = 12, .activations = activations, .backend = "scalar"};
    const std::vector<float> want = all_logits(loaded.model, options);
    for (const kernels::Kernels* k : kernels::available()) {
      options.backend = k->name;
      for (const unsigned threads : {1U, 2U, 3U}) {
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{12}}) {
          if (threads != 3 && chunk != 7) continue;
          options.n_threads = threads;
          options.prefill_chunk = chunk;
          EXPECT_EQ(all_logits(loaded.model, options), want)
              << k->name << ", " << threads << " threads, chunks of " << chunk;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Model, Families,
                         ::testing::Values("bitnet-b1.58", "bitnet", "llama", "qwen3", "maple", "minicpm"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

// The kinds of rope scaling, in both layouts of pairs. Frequencies and magnitude are worked out here from
// the formulas that the papers and llama.cpp give.
class RopeScaling : public ::testing::TestWithParam<const char*> {
 protected:
  SmallModel model = model_of(GetParam());
  ReferenceGraph graph = graph_of(GetParam());

  template <typename T>
  void set(const char* suffix, T value) {
    model.set(model.key(suffix), value);
  }
  void set_yarn(float factor, std::uint32_t original) {
    set("rope.scaling.type", "yarn");
    set("rope.scaling.factor", factor);
    set("rope.scaling.original_context_length", original);
  }
  // share(i): how much of pair i keeps its frequency.
  template <typename Share>
  void mix(double factor, Share share) {
    for (std::size_t i = 0; i < graph.frequency.size(); ++i) {
      const double kept = share(static_cast<double>(i));
      graph.frequency[i] *= kept + (1 - kept) / factor;
    }
  }
  void expect_agreement() {
    EXPECT_LT(error_of(model, graph), kSinglePrecision);
    EXPECT_GT(error_of(model, graph_of(GetParam())), kAnotherModel) << "nothing is scaled";
  }
};

TEST_P(RopeScaling, LinearDividesEveryFrequency) {
  set("rope.scaling.type", "linear");
  set("rope.scaling.factor", 4.0F);
  for (double& f : graph.frequency) f /= 4;
  expect_agreement();
}

TEST_P(RopeScaling, AFactorWithoutAKindIsLinearUnderBothItsNames) {
  for (double& f : graph.frequency) f /= 2.5;
  const SmallModel plain = model;
  for (const char* name : {"rope.scaling.factor", "rope.scale_linear"}) {
    model = plain;
    set(name, 2.5F);
    expect_agreement();
  }
}

TEST_P(RopeScaling, NoneMeansNoneWhateverTheFactor) {
  set("rope.scaling.type", "none");
  set("rope.scaling.factor", 4.0F);
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
}

TEST_P(RopeScaling, AnAttentionFactorMultipliesCosineAndSine) {
  set("rope.scaling.attn_factor", 1.25F);
  graph.magnitude = 1.25;
  expect_agreement();
}

// 64 pairs' worth of theta 10000: a pair turns over 64 positions as often as beta where
// i = 64 ln(64 / (2 pi beta)) / (2 ln 10000).
TEST_P(RopeScaling, YarnKeepsTheFastPairsAndStretchesTheSlowOnes) {
  set_yarn(4, 64);
  const double last = std::ceil(64 * std::log(64 / (2 * M_PI)) / (2 * std::log(10000.0)));
  ASSERT_EQ(last, 9);  // and the first, with 32 turns, lies before pair 0
  mix(4, [&](double i) { return 1 - std::min(1.0, i / last); });
  graph.magnitude = 1 + 0.1 * std::log(4.0);
  expect_agreement();
}

TEST_P(RopeScaling, YarnTakesAllItsKeys) {
  set_yarn(8, 4096);
  set("rope.scaling.yarn_ext_factor", 0.75F);
  set("rope.scaling.yarn_beta_fast", 16.0F);
  set("rope.scaling.yarn_beta_slow", 2.0F);
  set("rope.scaling.attn_factor", 1.25F);
  const auto pair = [](double turns) {
    return 64 * std::log(4096 / (2 * M_PI * turns)) / (2 * std::log(10000.0));
  };
  const double first = std::floor(pair(16));
  const double last = std::ceil(pair(2));
  ASSERT_EQ(first, 12);
  ASSERT_EQ(last, 21);
  mix(8, [&](double i) { return 0.75 * (1 - std::clamp((i - first) / (last - first), 0.0, 1.0)); });
  graph.magnitude = 1.25 * (1 + 0.1 * std::log(8.0));
  expect_agreement();
}

TEST_P(RopeScaling, YarnCountsTheContextOfTheModelWhereNoOriginalOneIsNamed) {
  set("rope.scaling.type", "yarn");  // the context is 64
  set("rope.scaling.factor", 4.0F);
  mix(4, [&](double i) { return 1 - std::min(1.0, i / 9); });
  graph.magnitude = 1 + 0.1 * std::log(4.0);
  expect_agreement();
}

TEST_P(RopeScaling, YarnThatExtrapolatesNothingIsLinearWithItsOwnMagnitude) {
  set_yarn(4, 64);
  set("rope.scaling.yarn_ext_factor", 0.0F);
  set("rope.scaling.yarn_attn_factor", 1.5F);
  for (double& f : graph.frequency) f /= 4;
  graph.magnitude = 1.5;
  expect_agreement();
}

TEST_P(RopeScaling, AnExtrapolationBelowZeroIsOneThatIsNotSet) {
  set_yarn(4, 64);
  set("rope.scaling.yarn_ext_factor", -1.0F);
  mix(4, [&](double i) { return 1 - std::min(1.0, i / 9); });
  graph.magnitude = 1 + 0.1 * std::log(4.0);
  expect_agreement();
}

// llama.cpp puts 1 + 0.1 ln(factor) in its place, so who trusts the key must be told.
TEST_P(RopeScaling, AYarnMagnitudeThatHasNoPartIsNoted) {
  set_yarn(4, 64);
  EXPECT_TRUE(LoadedModel(model).model.info().notes.empty());
  set("rope.scaling.yarn_attn_factor", 1.138629F);
  EXPECT_TRUE(LoadedModel(model).model.info().notes.empty());
  set("rope.scaling.yarn_attn_factor", 1.5F);
  const std::vector<std::string> notes = LoadedModel(model).model.info().notes;
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "rope.scaling.yarn_attn_factor: 1.5 was not applied"));
}

INSTANTIATE_TEST_SUITE_P(Model, RopeScaling, ::testing::Values("llama", "qwen3"),
                         [](const auto& info) { return std::string(info.param); });

TEST(RopeFactors, GoBeforeTheScalingOfTheRest) {
  SmallModel model = model_of("llama");
  ReferenceGraph graph = graph_of("llama");
  std::vector<float> factors(32);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = 1 + static_cast<float>(i) / 4;
  model.add(f32_tensor("rope_freqs.weight", factors));
  for (std::size_t i = 0; i < factors.size(); ++i) graph.frequency[i] /= static_cast<double>(factors[i]);
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
  model.set("llama.rope.scaling.factor", 2.0F);
  for (double& f : graph.frequency) f /= 2;
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
}

TEST(RopeFactors, HaveNoPlaceInFamiliesWithoutThem) {
  SmallModel model("qwen3");
  model.add(f32_tensor("rope_freqs.weight", std::vector<float>(16, 1.0F)));
  EXPECT_TRUE(is_refused(model, {"rope_freqs.weight", "no place"}));
}

// 4 heads of 64 for a hidden state of 128: the share of a head would be 32.
TEST(HeadWidth, IsTheKeysAndNotTheShareOfTheHiddenState) {
  for (const char* architecture : {"llama", "qwen3"}) {
    const LoadedModel loaded(model_of(architecture));
    EXPECT_EQ(loaded.model.info().head_dim, 64U);
    SmallModel without = model_of(architecture);
    without.remove_key(without.key("attention.key_length")).remove_key(without.key("attention.value_length"));
    without.remove_key(without.key("rope.dimension_count"));
    EXPECT_TRUE(is_refused(without, {"tensor blk.0.attn_q.weight", "shape [128, 256]"}));
  }
}

}  // namespace
}  // namespace bitnet::test
