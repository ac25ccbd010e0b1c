// A mixture of experts with sliding windows: what Maple's keys and tensors mean, and which are refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "model/against_reference.h"
#include "model/experts.h"
#include "model/model_impl.h"

namespace bitnet::test {
namespace {

SmallModel maple() { return SmallModel("maple", kWide); }

// Of a tensor in F32.
std::vector<float> floats_of(const SmallTensor& t) {
  std::vector<float> values(t.n_elements());
  std::memcpy(values.data(), t.data.data(), t.data.size());
  return values;
}

// Whatever is wrong by one key, one layer or one pair is seen.
TEST(Maple, DiffersFromAReferenceWithAnotherWindowRotationOrLimit) {
  const SmallModel model = model_of("maple");
  const ReferenceGraph right = graph_of("maple");
  ASSERT_LT(error_of(model, right), kSinglePrecision);
  for (const std::size_t window : {std::size_t{4}, std::size_t{6}, kAllKeys}) {
    ReferenceGraph wrong = right;
    wrong.n_seen = [=](std::size_t layer) { return layer % 2 == 0 ? window : kAllKeys; };
    EXPECT_GT(error_of(model, wrong), kAnotherModel) << "a window of " << window;
  }
  ReferenceGraph wrong = right;
  wrong.n_seen = [](std::size_t) { return std::size_t{5}; };
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "full layers with a window";
  wrong = right;
  wrong.rotates = [](std::size_t) { return true; };
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "full layers rotated";
  wrong = right;
  wrong.frequency = plain_frequencies(10000, 64);
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "whole heads rotated";
  wrong = right;
  wrong.clamp = 0;
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "no limit";
  wrong = right;
  wrong.shape.experts_used = 1;
  EXPECT_GT(error_of(model, wrong), kAnotherModel) << "one expert";
}

TEST(Maple, LimitsGatesAndUpsAtSevenWhereTheFileSaysNothing) {
  SmallModel model = model_of("maple");
  for (SmallTensor& t : model.tensors()) {
    if (!t.name.ends_with("gate_exps.weight") && !t.name.ends_with("up_exps.weight")) continue;
    std::vector<float> values = floats_of(t);
    for (float& value : values) value *= 10;  // gates and ups far beyond 7
    t.set_f32(values);
  }
  model.remove_key("maple.swiglu_clamp_exp");
  ReferenceGraph graph = graph_of("maple");
  graph.clamp = 7;
  EXPECT_LT(error_of(model, graph), kSinglePrecision);
  EXPECT_LT(error_of(model.set("maple.swiglu_clamp_exp", std::vector<float>{7, 7}), graph), kSinglePrecision);
  graph.clamp = 0;
  EXPECT_GT(error_of(model, graph), kAnotherModel);
  EXPECT_LT(error_of(model.set("maple.swiglu_clamp_exp", 0.0F), graph), kSinglePrecision);
}

TEST(Maple, TakesAnyNumberOfExpertsAndAllOfThem) {
  for (const std::size_t used : {std::size_t{1}, std::size_t{3}, std::size_t{4}}) {
    SmallModel model = model_of("maple");
    model.set("maple.expert_used_count", static_cast<std::uint32_t>(used));
    ReferenceGraph graph = graph_of("maple");
    graph.shape.experts_used = used;
    EXPECT_LT(error_of(model, graph), kSinglePrecision) << used;
  }
}

// Longer than a block of keys, so that the window begins in one block and ends in another.
TEST(Maple, GivesTheSameBitsWithAWindowOverSeveralBlocksOfKeys) {
  SmallModel small = maple();
  small.set("maple.attention.sliding_window", std::uint32_t{70})
      .set("maple.context_length", std::uint32_t{256});
  const LoadedModel loaded(small);
  std::vector<TokenId> ids;
  ids.reserve(150);
  for (std::int32_t i = 0; i < 150; ++i) ids.push_back(TokenId{(i * 37 + 5) % 300});
  const auto run = [&](const char* backend, unsigned threads, std::size_t chunk) {
    std::vector<float> all;
    Session session(loaded.model, {.n_threads = threads, .prefill_chunk = chunk, .backend = backend});
    session.run_all(
        ids, [&](Position, std::span<const float> row) { all.insert(all.end(), row.begin(), row.end()); });
    return all;
  };
  const std::vector<float> want = run("scalar", 1, 150);
  for (const kernels::Kernels* k : kernels::available()) {
    EXPECT_EQ(run(std::string(k->name).c_str(), 3, 1), want) << k->name;
    EXPECT_EQ(run(std::string(k->name).c_str(), 2, 64), want) << k->name;
  }
}

TEST(Maple, EachTensorHasItsPartInTheLogits) {
  SmallModel model = maple();
  model.set("maple.expert_used_count", std::uint32_t{4});
  const auto before = logits(model);
  for (const SmallTensor& t : model.tensors()) {
    SmallModel changed = model;
    changed.tensor(t.name).draw(12345);
    EXPECT_NE(logits(changed).back(), before.back()) << t.name;
  }
}

TEST(Maple, WorksWithFloatAndTernaryExpertsAndACopyOfThem) {
  const SmallModel model = maple();
  SmallModel halves = model_of("maple");
  for (SmallTensor& t : halves.tensors()) {
    if (!t.name.ends_with("_exps.weight")) continue;
    t.set_f16(floats_of(t));
  }
  EXPECT_LT(error_of(halves, graph_of("maple")), kSinglePrecision);
  SmallModel ternary = model_of("maple");
  for (SmallTensor& t : ternary.tensors()) {
    if (t.name.ends_with("_exps.weight")) t = maple().tensor(t.name);
  }
  EXPECT_LT(error_of(ternary, graph_of("maple")), kSinglePrecision);
  const AlignedBytes file = model.build();
  const Model copied = Model::from_bytes(file.span(), "small.gguf", {.weights = WeightMemory::repack});
  EXPECT_EQ(logits(copied, some_tokens()), logits(LoadedModel(model).model, some_tokens()));
}

TEST(Maple, RefusesWhatItsKeysMustNotSay) {
  const auto refuses = [](const char* suffix, auto value) {
    SmallModel m = maple();
    return is_refused(m.set(m.key(suffix), value), {"key maple." + std::string(suffix)});
  };
  EXPECT_TRUE(refuses("expert_count", std::uint32_t{0}));
  EXPECT_TRUE(refuses("expert_count", std::uint32_t{5000}));
  EXPECT_TRUE(refuses("expert_used_count", std::uint32_t{0}));
  EXPECT_TRUE(refuses("expert_used_count", std::uint32_t{5}));
  EXPECT_TRUE(refuses("expert_feed_forward_length", std::uint32_t{100}));
  EXPECT_TRUE(refuses("expert_gating_func", std::uint32_t{2}));
  EXPECT_TRUE(refuses("expert_weights_norm", false));
  EXPECT_TRUE(refuses("expert_weights_scale", 2.5F));
  EXPECT_TRUE(refuses("expert_shared_count", std::uint32_t{1}));
  EXPECT_TRUE(refuses("expert_group_count", std::uint32_t{8}));
  EXPECT_TRUE(refuses("leading_dense_block_count", std::uint32_t{1}));
  EXPECT_TRUE(refuses("swiglu_clamp_exp", -1.0F));
  EXPECT_TRUE(refuses("swiglu_clamp_exp", std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(refuses("swiglu_clamp_exp", std::vector<float>{7, 8}));
  EXPECT_TRUE(refuses("swiglu_clamp_shexp", 7.0F));
  EXPECT_TRUE(refuses("attention.sliding_window", std::uint32_t{0}));
  EXPECT_TRUE(refuses("attention.sliding_window_pattern", std::uint32_t{4}));
  EXPECT_TRUE(refuses("attention.sliding_window_pattern", std::vector<bool>{true}));
  EXPECT_TRUE(refuses("attention.sliding_window_pattern", std::vector<float>{1, 0}));
  EXPECT_TRUE(refuses("rope.freq_base_swa", 0.0F));
  EXPECT_TRUE(refuses("rope.dimension_count_swa", std::uint32_t{32}));
  for (const char* key : {"expert_count", "expert_used_count", "expert_feed_forward_length",
                          "attention.sliding_window", "attention.sliding_window_pattern"}) {
    SmallModel m = maple();
    EXPECT_TRUE(is_refused(m.remove_key(m.key(key)), {m.key(key), "missing"}));
  }
}

TEST(Maple, TakesKeysThatSayWhatItDoesAnyway) {
  SmallModel m = maple();
  const auto want = logits(m);
  m.set("maple.expert_gating_func", std::uint32_t{1}).set("maple.expert_weights_norm", true);
  m.set("maple.expert_weights_scale", 1.0F).set("maple.expert_shared_count", std::uint32_t{0});
  m.set("maple.attention.sliding_window_pattern", std::vector<std::uint32_t>{1, 0});
  m.set("maple.expert_feed_forward_length", std::vector<std::uint32_t>{256, 256});
  EXPECT_EQ(logits(m), want);
  EXPECT_EQ(logits(m.remove_key("maple.feed_forward_length")), want);
  EXPECT_TRUE(LoadedModel(m).model.info().notes.empty());
  EXPECT_NE(logits(m.set("maple.rope.freq_base_swa", 100.0F)), want);
}

TEST(Maple, RefusesTensorsOfAnotherShapeAndOfADenseModel) {
  SmallModel m = maple();
  m.tensor("blk.0.ffn_up_exps.weight").dims = {128, 512, 2};
  EXPECT_TRUE(is_refused(m, {"blk.0.ffn_up_exps.weight", "[128, 512, 2]", "[128, 256, 4]"}));
  m = maple();
  EXPECT_TRUE(is_refused(m.remove_tensor("output.weight"), {"output.weight", "missing"}));
  m = maple();
  EXPECT_TRUE(
      is_refused(m.remove_tensor("blk.1.ffn_gate_inp.weight"), {"blk.1.ffn_gate_inp.weight", "missing"}));
  m = maple();
  SmallTensor dense{.name = "blk.0.ffn_up.weight", .dims = {128, 256}, .type = kF16, .data = {}};
  dense.draw(1);
  EXPECT_TRUE(is_refused(m.add(dense), {"blk.0.ffn_up.weight", "no place"}));
  m = maple();
  SmallTensor& router = m.tensor("blk.0.ffn_gate_inp.weight");
  router.type = kI2S;
  router.draw(1);
  EXPECT_TRUE(is_refused(m, {"blk.0.ffn_gate_inp.weight", "two bits"}));
}

struct Choice {
  std::vector<std::uint32_t> expert;
  std::vector<float> share;
};
Choice choose(const std::vector<float>& logits, std::size_t n_used) {
  Choice c{std::vector<std::uint32_t>(n_used), std::vector<float>(n_used)};
  choose_experts(*kernels::available().front(), logits, n_used, c.expert.data(), c.share.data());
  return c;
}

TEST(Experts, AreChosenByTheirLogitsAndOfEqualOnesTheFirst) {
  EXPECT_EQ(choose({1, 5, 2, 5, 9, 0}, 4).expert, (std::vector<std::uint32_t>{4, 1, 3, 2}));
  EXPECT_EQ(choose({3, 3, 3}, 2).expert, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(choose({-1, -2}, 2).expert, (std::vector<std::uint32_t>{0, 1}));
}

TEST(Experts, HaveTheSharesOfASoftmaxOverThoseThatAreChosen) {
  const Choice c = choose({0, 2, 1, -3}, 2);
  EXPECT_NEAR(c.share[0], 1 / (1 + std::exp(-1.0)), 1e-7);
  EXPECT_NEAR(c.share[1], 1 / (1 + std::exp(1.0)), 1e-7);
  EXPECT_EQ(choose({0, 2, 1}, 1).share[0], 1.0F);
  EXPECT_EQ(choose({1000, -1000}, 2).share[0], 1.0F);  // nothing overflows
}

// What comes of it is not a number either, which is found where logits are; nothing reads out of bounds.
TEST(Experts, AreChosenWithinBoundsOfLogitsThatAreNoNumbers) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& logits :
       {std::vector<float>{kNan, kNan, kNan}, {kNan, 1, 2}, {1, kNan, 2}}) {
    for (const std::uint32_t e : choose(logits, 2).expert) EXPECT_LT(e, 3U);
  }
}

TEST(Experts, HaveTheirRowsTogether) {
  const LoadedModel loaded(maple());
  ExpertActivations act(loaded.model.impl().config, 3, {});
  const std::vector<std::uint32_t> chosen{2, 0, 3, 2, 0, 2};  // of three tokens, two each; none takes 1
  std::ranges::copy(chosen, act.expert.data());
  for (int again = 0; again < 2; ++again) {
    sort_by_expert(act, 3);
    const auto span = [](const auto& buffer, std::size_t n) {
      return std::vector<std::uint32_t>(buffer.data(), buffer.data() + n);
    };
    EXPECT_EQ(span(act.first_row, 5), (std::vector<std::uint32_t>{0, 2, 2, 5, 6}));
    EXPECT_EQ(span(act.row_of, 6), (std::vector<std::uint32_t>{2, 0, 5, 3, 1, 4}));
    ASSERT_EQ(act.n_active, 3U);
    EXPECT_EQ(span(act.active, 3), (std::vector<std::uint32_t>{0, 2, 3}));
  }
}

}  // namespace
}  // namespace bitnet::test
