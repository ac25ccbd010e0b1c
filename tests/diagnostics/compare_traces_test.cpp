// The measures of bitnet compare, by hand.
#include "diagnostics/compare_traces.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bitnet/error.h"

namespace bitnet {
namespace {

Trace trace_of(std::vector<TraceTensor> tensors, std::vector<std::vector<float>> values) {
  Trace trace;
  trace.info.ids = {TokenId{1}, TokenId{2}};
  trace.tensors = std::move(tensors);
  trace.values = std::move(values);
  return trace;
}

TraceComparison compare(const Trace& a, const Trace& b, const CompareRequest& request = {}) {
  return compare_traces(*view_trace(a, "a"), *view_trace(b, "b"), request, {}).value();
}

const std::vector<TraceTensor> kOne{{"blk.0.l_out", 2, 2}};

TEST(CompareTraces, MeasuresThePositionsOfATensor) {
  const TraceComparison c = compare(trace_of(kOne, {{1, 0, 3, 4}}), trace_of(kOne, {{1, 0, 4, 3}}));
  const TensorComparison& t = c.tensors.at(0);
  EXPECT_DOUBLE_EQ(t.min_cosine, 24.0 / 25);
  EXPECT_EQ(t.worst_position, 1U);
  EXPECT_DOUBLE_EQ(t.max_abs_error, 1);
  EXPECT_DOUBLE_EQ(t.max_relative_error, 0.25);
  EXPECT_EQ(t.n_different, 2U);
  EXPECT_EQ(t.first_different, 1U);
  EXPECT_EQ(t.first_beyond, 1U);
  EXPECT_FALSE(c.identical());
  EXPECT_FALSE(c.passes({}));
}

TEST(CompareTraces, FindsNothingBetweenEqualTraces) {
  const Trace a = trace_of(kOne, {{1, 0, 0, 0}});
  const TraceComparison c = compare(a, a);
  EXPECT_EQ(c.tensors.at(0).min_cosine, 1);
  EXPECT_TRUE(c.identical());
  EXPECT_TRUE(c.passes({.min_cosine = 1, .exact = true}));
}

TEST(CompareTraces, HoldsEachLimitByItself) {
  const Trace a = trace_of(kOne, {{1, 2, 3, 4.5F}});
  const Trace b = trace_of(kOne, {{1, 2, 3, 4}});
  const auto passes = [&](const CompareThresholds& t) {
    CompareRequest request;
    request.thresholds = t;
    return compare(a, b, request).passes(t);
  };
  EXPECT_TRUE(passes({.min_cosine = 0.99}));
  EXPECT_FALSE(passes({.min_cosine = 0.9999}));
  EXPECT_TRUE(passes({.min_cosine = 0.99, .max_abs_error = 0.5, .max_relative_error = 0.125}));
  EXPECT_FALSE(passes({.min_cosine = 0.99, .max_abs_error = 0.4}));
  EXPECT_FALSE(passes({.min_cosine = 0.99, .max_relative_error = 0.12}));
  EXPECT_FALSE(passes({.min_cosine = 0.99, .exact = true}));
}

TEST(CompareTraces, LetsNoValuePassThatIsNoNumber) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Trace good = trace_of(kOne, {{1, 2, 3, 4}});
    const Trace wrong = trace_of(kOne, {{bad, 2, 3, 4}});
    for (const auto& c : {compare(good, wrong), compare(wrong, good), compare(wrong, wrong)}) {
      const TensorComparison& t = c.tensors.at(0);
      EXPECT_TRUE(std::isnan(t.min_cosine));
      EXPECT_TRUE(std::isnan(t.max_abs_error));
      EXPECT_EQ(t.worst_position, 0U);
      EXPECT_EQ(t.n_not_finite, 1U);
      EXPECT_EQ(t.first_beyond, 0U);
      EXPECT_FALSE(c.passes({.min_cosine = -1}));
    }
  }
}

TEST(CompareTraces, TakesZerosForWhatTheyAre) {
  const Trace zero = trace_of(kOne, {{0, 0, 1, 1}});
  EXPECT_TRUE(compare(zero, zero).passes({}));
  EXPECT_EQ(compare(zero, trace_of(kOne, {{0, 1, 1, 1}})).tensors.at(0).min_cosine, 0);
  EXPECT_EQ(compare(trace_of(kOne, {{-0.0F, 0, 1, 1}}), zero).tensors.at(0).n_different, 1U);
}

TEST(CompareTraces, NamesTheFirstInTheOrderOfTheGraph) {
  const std::vector<TraceTensor> tensors{{"logits", 1, 1}, {"blk.10.l_out", 1, 1}, {"blk.2.l_out", 1, 1}};
  const TraceComparison c =
      compare(trace_of(tensors, {{1}, {1}, {1}}), trace_of(tensors, {{-1}, {-1}, {-1}}));
  EXPECT_EQ(c.first_different()->name, "blk.2.l_out");
  EXPECT_EQ(c.first_beyond()->name, "blk.2.l_out");
  EXPECT_EQ(c.tensors.back().name, "logits");
}

TEST(CompareTraces, ForgivesOnlyNearTiesAmongTheLikeliestTokens) {
  const std::vector<TraceTensor> logits{{"logits", 2, 3}};
  // The second position's best two are 0.5 apart, and logits differ by up to 0.25 in the first case.
  const Trace reference = trace_of(logits, {{9, 0, 0, 5.5F, 5, 0}});
  const TraceComparison tie = compare(trace_of(logits, {{9, 0, 0, 5.25F, 5.25F + 0.0625F, 0}}), reference);
  EXPECT_EQ(tie.positions->n_matched, 1U);
  EXPECT_EQ(tie.positions->n_near_ties, 1U);
  EXPECT_DOUBLE_EQ(tie.positions->match_rate(), 0.5);
  EXPECT_TRUE(tie.passes({.min_cosine = 0.99}));
  Trace certain = reference;
  certain.info.greedy = {TokenId{0}};
  certain.info.greedy_margin = {9};
  Trace other = reference;
  other.info.greedy = {TokenId{1}};
  const TraceComparison mismatch = compare(other, certain);
  EXPECT_EQ(mismatch.continuation->n_near_ties, 0U);
  EXPECT_EQ(mismatch.continuation->first_mismatch, 0U);
  EXPECT_FALSE(mismatch.passes({}));
}

TEST(CompareTraces, HoldsContinuationsUpToWhereTheyPart) {
  const auto with = [](std::vector<int> greedy, std::vector<double> margin) {
    Trace t = trace_of({{"logits", 1, 2}}, {{1, 2}});
    for (const int id : greedy) t.info.greedy.push_back(TokenId{id});
    t.info.greedy_margin = std::move(margin);
    return t;
  };
  const Trace reference = with({1, 2, 3, 4}, {9, 9, 9, 9});
  const TraceComparison parted = compare(with({1, 7, 8, 9}, {9, 9, 9, 9}), reference);
  EXPECT_EQ(parted.continuation->n_steps, 4U);
  EXPECT_EQ(parted.continuation->n_compared, 2U);
  EXPECT_EQ(parted.continuation->n_matched, 1U);
  EXPECT_EQ(parted.continuation->first_mismatch, 1U);
  EXPECT_FALSE(parted.passes({}));
  EXPECT_TRUE(parted.passes({.min_token_match = 0.5}));
  CompareRequest forced;
  forced.forced = true;
  const TraceComparison each = compare(with({1, 7, 3, 4}, {}), reference, forced);
  EXPECT_EQ(each.continuation->n_compared, 4U);
  EXPECT_EQ(each.continuation->n_matched, 3U);
}

TEST(CompareTraces, RefusesWhatCannotBeCompared) {
  const Trace a = trace_of(kOne, {{1, 2, 3, 4}});
  Trace other_tokens = a;
  other_tokens.info.ids = {TokenId{1}, TokenId{3}};
  EXPECT_THROW(compare(a, other_tokens), ModelError);
  EXPECT_THROW(compare(a, trace_of({{"blk.0.l_out", 1, 4}}, {{1, 2, 3, 4}})), ModelError);
  EXPECT_THROW(compare(a, trace_of({{"blk.0.attn_out", 2, 2}}, {{1, 2, 3, 4}})), ModelError);
  CompareRequest request;
  request.patterns = {"blk.1.*"};
  EXPECT_THROW(compare(a, a, request), UsageError);
  request.patterns = {"blk.0.*"};
  EXPECT_TRUE(compare(a, a, request).identical());
}

TEST(CompareTraces, SaysWhatOnlyOneSideHas) {
  const TraceComparison c = compare(trace_of({kOne[0], {"q", 1, 1}}, {{1, 2, 3, 4}, {1}}),
                                    trace_of({kOne[0], {"x", 1, 1}}, {{1, 2, 3, 4}, {1}}));
  EXPECT_EQ(c.only_in_first, std::vector<std::string>{"q"});
  EXPECT_EQ(c.only_in_reference, std::vector<std::string>{"x"});
}

TEST(CompareTraces, HoldsASingleRowAgainstTheLastOfAll) {
  const Trace all = trace_of({{"logits", 3, 2}}, {{1, 0, 0, 1, 5, 7}});
  const Trace last = trace_of({{"logits", 1, 2}}, {{5, 7}});
  const Trace other = trace_of({{"logits", 1, 2}}, {{7, 5}});
  for (const auto& c : {compare(all, last), compare(last, all)}) {
    const TensorComparison& t = c.tensors.at(0);
    EXPECT_TRUE(t.last_row_alone);
    EXPECT_EQ(t.rows, 1U);
    EXPECT_EQ(t.first_position, 2U);
    EXPECT_TRUE(c.identical());
    EXPECT_EQ(c.positions->n_steps, 1U);
  }
  const TraceComparison c = compare(all, other);
  EXPECT_EQ(c.tensors.at(0).first_different, 2U);
  EXPECT_EQ(c.tensors.at(0).worst_position, 2U);
  EXPECT_FALSE(compare(all, all).tensors.at(0).last_row_alone);
  EXPECT_THROW(compare(all, trace_of({{"logits", 2, 2}}, {{0, 1, 5, 7}})), ModelError);
  EXPECT_THROW(compare(all, trace_of({{"logits", 1, 3}}, {{0, 1, 5}})), ModelError);
}

TEST(CompareTraces, TellsOnWhichSideValuesAreNotFinite) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const TensorComparison t =
      compare(trace_of(kOne, {{kNan, kNan, 3, 4}}), trace_of(kOne, {{kNan, 2, 3, INFINITY}})).tensors.at(0);
  EXPECT_EQ(t.n_not_finite, 3U);
  EXPECT_EQ(t.n_not_finite_in_first, 2U);
  EXPECT_EQ(t.n_not_finite_in_reference, 2U);
}

TEST(CompareTraces, AreNotIdenticalWhereTheReferenceHasMore) {
  const std::vector<TraceTensor> two{{"blk.0.l_out", 2, 2}, {"logits", 2, 2}};
  const Trace some = trace_of(kOne, {{1, 2, 3, 4}});
  const Trace more = trace_of(two, {{1, 2, 3, 4}, {1, 2, 3, 4}});
  EXPECT_TRUE(compare(more, some).identical());  // all of the reference is there
  const TraceComparison c = compare(some, more);
  EXPECT_FALSE(c.identical());
  EXPECT_TRUE(c.passes({}));
  EXPECT_FALSE(c.passes({.exact = true}));
  CompareRequest request;  // unless nothing else was asked for
  request.patterns = {"blk.*"};
  EXPECT_TRUE(compare(some, more, request).identical());
}

}  // namespace
}  // namespace bitnet
