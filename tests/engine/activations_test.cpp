// Which form of activations a session uses, and that copies of coded weights change nothing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/session.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

std::string model_path(const std::string& name) { return BITNET_TEST_DATA "/models/" + name + ".gguf"; }

Model load(const std::string& name, WeightMemory weights = WeightMemory::mmap) {
  return Model::load(model_path(name), {.weights = weights});
}

const std::vector<TokenId> kIds{TokenId{1}, TokenId{200}, TokenId{33}, TokenId{4}, TokenId{99}};

std::vector<float> logits(const Model& model, const SessionOptions& options) {
  Session session(model, options);
  const auto out = session.run(kIds);
  return {out.begin(), out.end()};
}

TEST(ActivationForms, AreOneScaleATokenWhereTheModelWasTrainedSo) {
  for (const char* name : {"random-bitnet-b1.58", "random-llama", "random-bitnet-tq2_0-scales"}) {
    const Model model = load(name);
    EXPECT_EQ(model.info().activations, ActivationType::int8) << name;
    EXPECT_EQ(Session(model, {}).activations(), ActivationType::int8) << name;
  }
}

TEST(ActivationForms, AreAScaleForEach32ColumnsWhereTrainingKnewNoRounding) {
  for (const char* name : {"random-qwen3-q2_0", "random-llama-tq2_0", "random-llama3-tq1_0"}) {
    const Model model = load(name);
    EXPECT_EQ(Session(model, {}).activations(), ActivationType::int8_32) << name;
    EXPECT_EQ(logits(model, {}), logits(model, {.activations = ActivationType::int8_32})) << name;
  }
}

TEST(ActivationForms, GiveOtherLogitsEach) {
  const Model model = load("random-qwen3-q2_0");
  const std::vector<float> automatic = logits(model, {});
  for (const ActivationType type : {ActivationType::int8, ActivationType::int8_128, ActivationType::f32}) {
    EXPECT_EQ(Session(model, {.activations = type}).activations(), type);
    EXPECT_NE(logits(model, {.activations = type}), automatic) << name_of(type);
  }
}

TEST(ActivationForms, InBlocksAreRefusedForI2S) {
  const Model model = load("random-bitnet-b1.58");
  for (const ActivationType type : {ActivationType::int8_32, ActivationType::int8_128})
    EXPECT_THROW(Session(model, {.activations = type}), OptionError) << name_of(type);
}

TEST(LaneWeights, AreTheSameWhereTheRestIsCopiedToo) {
  for (const char* name : {"random-qwen3-q2_0", "random-qwen3-q1_0", "random-llama3-tq1_0"}) {
    const Model mapped = load(name);
    const Model copied = load(name, WeightMemory::repack);
    EXPECT_GT(mapped.impl().weights.lanes.size(), 0U);
    EXPECT_EQ(mapped.impl().weights.repacked.size(), 0U);
    EXPECT_EQ(logits(copied, {}), logits(mapped, {})) << name;
  }
}

TEST(LaneWeights, LeaveAHeadOfTwoBitsAsItIs) {
  for (const HeadKind head : {HeadKind::screened, HeadKind::int8}) {
    const Model model = Model::load(model_path("random-qwen3-q2_0"), {.head = head});
    EXPECT_EQ(model.info().head.kind, HeadKind::exact);
    EXPECT_EQ(model.info().head.extra_bytes, 0U);
  }
}

TEST(LaneWeights, AreNotMadeWhereLoadingWasToEnd) {
  EXPECT_THROW(
      Model::load(model_path("random-qwen3-q2_0"), {.on_progress = [](double done) { return done < 1; }}),
      RuntimeError);
}

}  // namespace
}  // namespace bitnet
