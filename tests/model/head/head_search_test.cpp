// The search for the highest logits against computing them all.
#include "model/head/head_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model/head/head_copy.h"
#include "model/head/searched_head.h"

namespace bitnet {
namespace {

using searched::by_sorting;
using searched::find;
using searched::Head;
using searched::kNanInput;
using searched::random_input;
using searched::several_inputs;

// One search on every backend, compared with sorting: ids and bits of the logits.
HeadSearchCounts expect_exact(const quant::Matrix& w, const CandidateQuery& query, const float* x) {
  ThreadPool pool(2);
  const HeadScreen first_bits(w, pool, nullptr, HeadScreen::Depth::five_bits);
  const HeadScreen all_bits(w, pool);
  const std::vector<Candidate> expected = by_sorting(w, query, x);
  HeadSearchCounts counts;
  for (const kernels::Kernels* k : kernels::available()) {
    for (const HeadScreen* screen : {&first_bits, &all_bits}) {
      HeadSearch search(w, screen, *k, pool);
      std::vector<float> logits(w.rows, kNanInput);
      const auto found = find(search, w, query, x, logits);
      counts = search.take_counts();
      EXPECT_EQ(found.size(), expected.size()) << k->name;
      for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        EXPECT_EQ(to_int(found[i].id), to_int(expected[i].id)) << k->name << " " << i;
        EXPECT_EQ(found[i].logit, expected[i].logit) << k->name << " " << i;
      }
    }
  }
  return counts;
}

TEST(HeadSearch, FindsTheBestOfAnyNumberOfRowsOfAnyLength) {
  for (const std::size_t rows : {1U, 2U, 7U, 255U, 256U, 257U, 1000U, 4099U}) {
    for (const std::size_t cols : {1U, 3U, 127U, 130U, 300U}) {
      const Head head(rows, cols);
      const auto x = random_input(cols, 2);
      for (const std::size_t k : {1U, 40U, 1000U}) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols) + ", " + std::to_string(k));
        expect_exact(head.w, {.n_best = k}, x.data());
      }
    }
  }
}

TEST(HeadSearch, ComputesFewRowsInFull) {
  const Head head(8192, 512);
  const auto x = random_input(512, 3);
  const HeadSearchCounts one = expect_exact(head.w, {.n_best = 1}, x.data());
  EXPECT_EQ(one.whole, 0U);
  EXPECT_LT(one.full, 400U);
  const HeadSearchCounts forty = expect_exact(head.w, {.n_best = 40}, x.data());
  EXPECT_EQ(forty.whole, 0U);
  EXPECT_LT(forty.full, 1500U);
  EXPECT_LT(forty.bits[1], 6000U);
}

// A head may have a scale beside its weights: a tensor output.scale, or the model's own factor of logits.
TEST(HeadSearch, IsAsExactAndReadsNoMoreWhateverMultipliesTheProducts) {
  Head head(8192, 256);
  const auto x = random_input(256, 3);
  const HeadSearchCounts plain = expect_exact(head.w, {.n_best = 40, .within = 2.0F}, x.data());
  for (const float scale : {0.1F, 0.5F, 3.0F, 100.0F, -1.0F, -0.3F, 1e-30F, 1e20F, 0.0F}) {
    SCOPED_TRACE(scale);
    head.w.scale = scale;
    expect_exact(head.w, {.n_best = 1}, x.data());
    const HeadSearchCounts counts =
        expect_exact(head.w, {.n_best = 40, .within = 2 * std::fabs(scale)}, x.data());
    if (scale == 0) continue;  // all are equal
    EXPECT_EQ(counts.whole, 0U);
    EXPECT_LT(counts.full, 2 * plain.full);
  }
}

TEST(HeadSearch, FindsTheBestAmongRowsOfVeryDifferentNorms) {
  Head head(3000, 256);
  std::mt19937 rng(4);
  std::normal_distribution<float> exponent(0, 8);
  for (std::size_t r = 0; r < 3000; ++r) {
    const float factor = std::exp(exponent(rng));
    for (float& v : head.row(r)) v *= factor;
  }
  for (float& v : head.row(100)) v *= 0;
  for (float& v : head.row(101)) v *= 1e-42F;
  const auto x = random_input(256, 5);
  for (const std::size_t k : {1U, 40U, 370U}) expect_exact(head.w, {.n_best = k}, x.data());
}

TEST(HeadSearch, FindsTheBestWhereAllIsTiny) {
  Head head(2100, 200);
  for (float& v : head.values) v *= 1e-25F;
  auto x = random_input(200, 5);
  for (float& v : x) v *= 1e-18F;
  for (const std::size_t k : {1U, 40U}) expect_exact(head.w, {.n_best = k}, x.data());
}

TEST(HeadSearch, GivesTiesToTheLowerIds) {
  Head head(2400, 256);
  const auto best = random_input(256, 6);
  for (const std::size_t r : {50U, 300U, 301U, 1024U, 2399U}) std::ranges::copy(best, head.row(r).begin());
  for (const std::size_t k : {1U, 2U, 4U, 5U, 6U}) expect_exact(head.w, {.n_best = k}, best.data());
  // All rows the same: nothing can be excluded.
  for (std::size_t r = 0; r < 2400; ++r) std::ranges::copy(best, head.row(r).begin());
  for (const std::size_t k : {1U, 40U}) expect_exact(head.w, {.n_best = k}, best.data());
}

// Rows that differ from the best by less than their few bits can tell, in the direction of what those lose.
TEST(HeadSearch, TellsRowsApartThatItsBitsDoNot) {
  Head head(2048, 256);
  const auto x = random_input(256, 7);
  for (std::size_t r = 0; r < 2048; ++r) {
    const auto row = head.row(r);
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = x[i] * (1 + 1e-6F * static_cast<float>(r * 7919 % 2048));
  }
  for (const std::size_t k : {1U, 40U, 200U}) expect_exact(head.w, {.n_best = k}, x.data());
}

// The whole of a row's norm in what clipping cuts off, and the input along it.
TEST(HeadSearch, BelievesNoEstimateOfARowWithOneLargeWeight) {
  Head head(2048, 512);
  for (std::size_t r = 0; r < 2048; r += 3) head.row(r)[r % 512] = static_cast<float>(r % 7) * 100;
  for (const std::size_t spike : {0U, 3U, 300U}) {
    auto x = random_input(512, 8);
    x[spike] = 50;
    for (const std::size_t k : {1U, 40U}) expect_exact(head.w, {.n_best = k}, x.data());
  }
}

TEST(HeadSearch, FindsTheBestOfAVocabularyOfFullSize) {
  const Head head(128256, 64);
  const auto x = random_input(64, 14);
  for (const std::size_t k : {1U, 40U, 1000U})
    EXPECT_EQ(expect_exact(head.w, {.n_best = k}, x.data()).whole, 0U);
}

// Columns of very different weights, as trained heads have them: scaled alike they cost no bound.
TEST(HeadSearch, ComputesFewRowsInFullWhereSomeColumnsAreHeavy) {
  Head head(8192, 512);
  for (std::size_t r = 0; r < 8192; ++r) {
    const auto row = head.row(r);
    for (std::size_t i = 0; i < 512; i += 40) row[i] *= 30;
    for (std::size_t i = 7; i < 512; i += 40) row[i] *= 1e-3F;
    row[11] = 0;
  }
  auto x = random_input(512, 3);
  for (std::size_t i = 0; i < 512; i += 40) x[i] /= 30;
  x[11] = 1e6F;  // a column of zeros, whatever comes in
  EXPECT_LT(expect_exact(head.w, {.n_best = 1}, x.data()).full, 400U);
  EXPECT_LT(expect_exact(head.w, {.n_best = 40}, x.data()).full, 1500U);
}

// Where nothing can be excluded a search costs more than all logits; so the next ones aren't tried, for a
// while.
TEST(HeadSearch, LeavesSearchesOutWhereTheyDoNotPay) {
  Head head(2400, 256);
  const auto same = random_input(256, 6);
  for (std::size_t r = 0; r < 2400; ++r) std::ranges::copy(same, head.row(r).begin());
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<float> logits(2400);
  EXPECT_FALSE(search.find({.n_best = 1}, same.data(), logits));
  const std::uint64_t bytes = search.take_counts().bytes;
  EXPECT_GT(bytes, 0U);
  std::size_t n_tried = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(search.find({.n_best = 1}, same.data(), logits));
    n_tried += search.take_counts().bytes > 0 ? 1U : 0U;
  }
  EXPECT_GT(n_tried, 0U);
  EXPECT_LT(n_tried, 10U);
}

// The same rows whether the fifth bit is read for those that four leave, or for all at once.
TEST(HeadSearch, FindsTheSameHoweverManyBitsItBeginsWith) {
  const Head head(1501, 2048);  // so many columns that four bits exclude few rows
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  for (const kernels::Kernels* k : kernels::available()) {
    HeadSearch search(head.w, &screen, *k, pool);
    std::vector<float> logits(1501);
    std::uint64_t n_wide = 0;
    for (unsigned i = 0; i < 6; ++i) {
      const auto x = random_input(2048, 20 + i);
      const CandidateQuery query{.n_best = 3};
      const auto found = find(search, head.w, query, x.data(), logits);
      const auto expected = by_sorting(head.w, query, x.data());
      ASSERT_EQ(found.size(), expected.size()) << k->name;
      for (std::size_t c = 0; c < found.size(); ++c) {
        EXPECT_EQ(to_int(found[c].id), to_int(expected[c].id)) << k->name << " " << i;
        EXPECT_EQ(found[c].logit, expected[c].logit) << k->name << " " << i;
      }
      n_wide += search.take_counts().wide;
    }
    EXPECT_EQ(n_wide, 4U) << k->name;  // all but the first two
  }
}

TEST(HeadSearch, GoesOnWithFourBitsAfterASingleInputThatLeavesManyRows) {
  Head head(1501, 2048);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<float> logits(1501);
  const auto unlike_any_row = random_input(2048, 20);
  for (unsigned i = 0; i < 40; ++i) {
    const auto row = head.row(i);
    const std::vector<float> like_a_row(row.begin(), row.end());
    const auto& x = i % 10 == 0 ? unlike_any_row : like_a_row;
    ASSERT_TRUE(search.find({.n_best = 1}, x.data(), logits));
    const HeadSearchCounts counts = search.take_counts();
    EXPECT_EQ(counts.wide, 0U) << i;
    EXPECT_EQ(counts.bits[0] > 1501 / 2, i % 10 == 0) << i;
  }
}

TEST(HeadSearch, FindsAllWithinADistanceOfTheBest) {
  const Head head(3000, 256);
  const auto x = random_input(256, 9);
  for (const float within : {0.0F, 1e-3F, 5.0F, 30.0F, 1e9F}) {
    expect_exact(head.w, {.n_best = 1, .within = within}, x.data());
    expect_exact(head.w, {.n_best = 40, .within = within}, x.data());
  }
}

TEST(HeadSearch, AddsTheTokensThatAreNamed) {
  const Head head(3000, 256);
  const auto x = random_input(256, 10);
  const std::vector<TokenId> also{TokenId{2999}, TokenId{0}, TokenId{7},
                                  TokenId{7},    TokenId{0}, TokenId{1500}};
  for (const std::size_t k : {1U, 40U, 3000U}) expect_exact(head.w, {.n_best = k, .also = also}, x.data());
  ThreadPool pool(1);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<float> logits(3000);
  const std::vector<TokenId> outside{TokenId{3000}, TokenId{-1}};
  EXPECT_EQ(find(search, head.w, {.n_best = 2, .also = outside}, x.data(), logits).size(), 2U);
}

// Digits are off by no more than the bounds take them to be: both, and the high ones alone where they do at
// first.
TEST(SearchInput, BoundsWhatItsDigitsLeaveOut) {
  constexpr std::size_t kCols = 300;
  const Head head(64, kCols);
  ThreadPool pool(1);
  const HeadScreen screen(head.w, pool);
  std::vector<std::int8_t> high(screen.n_blocks * kernels::kScreenBlock);
  std::vector<std::int8_t> low(high.size());
  std::size_t n_coarse = 0;
  for (const bool may_be_coarse : {false, true}) {
    for (const auto& x : several_inputs(3, kCols)) {
      SearchInput in;
      ASSERT_TRUE(in.set(screen, x.data(), kCols, 1.0F, may_be_coarse, high.data(), low.data()));
      const auto expect_bounded = [&](const SearchInput::Worth& worth, bool has_low, double most) {
        double norm = 0;
        double lost = 0;
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < kCols; ++i) {
          const double value = static_cast<double>(x[i]) * static_cast<double>(screen.column_scale[i]);
          const int digits = 256 * high[i] + (has_low ? low[i] : 0);
          const double difference = value - digits * static_cast<double>(in.unit);
          norm += value * value;
          lost += difference * difference;
          sum += digits;
        }
        EXPECT_EQ(worth.digit_sum, static_cast<float>(sum));
        EXPECT_GE(static_cast<double>(worth.error_weight), std::sqrt(norm));
        EXPECT_GE(static_cast<double>(worth.norm_weight), std::sqrt(lost));
        EXPECT_LT(static_cast<double>(worth.norm_weight), most * std::sqrt(norm));
      };
      expect_bounded(in.fine, true, 1e-3);
      expect_bounded(in.at_first, !in.coarse, in.coarse ? 0.013 : 1e-3);
      EXPECT_EQ(in.low_sum, static_cast<float>(std::accumulate(low.begin(), low.end(), 0)));
      n_coarse += in.coarse ? 1 : 0;
    }
  }
  EXPECT_EQ(n_coarse, 2U);  // not the one with a value far above the others
}

TEST(HeadSearch, SaysWhenAnyLogitIsNotFinite) {
  ThreadPool pool(2);
  const auto finds_finite = [&](const Head& head, const std::vector<float>& x) {
    const HeadScreen screen(head.w, pool);
    HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
    std::vector<float> logits(head.w.rows);
    const auto found = find(search, head.w, {.n_best = 1}, x.data(), logits);
    return std::ranges::all_of(found, [](const Candidate& c) { return std::isfinite(c.logit); });
  };
  Head head(1000, 128);
  auto x = random_input(128, 11);
  EXPECT_TRUE(finds_finite(head, x));
  x[5] = kNanInput;
  EXPECT_FALSE(finds_finite(head, x));
  x[5] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(finds_finite(head, x));
  x[5] = 1;
  head.row(77)[3] = kNanInput;
  EXPECT_FALSE(finds_finite(head, x));
  for (float& v : head.row(77)) v = 3e38F;  // finite weights whose products overflow
  EXPECT_FALSE(finds_finite(head, x));
}

TEST(Int8Head, IsCloseToTheHeadItCopies) {
  const Head head(500, 300);
  ThreadPool pool(2);
  const Int8Head copy(head.w, pool);
  const auto x = random_input(300, 12);
  std::vector<float> exact(500);
  kernels::find("scalar").matmul_float(head.w, 0, 500, {x.data(), 300}, 1, {exact.data(), 500});
  std::vector<float> reference(500);
  std::vector<float> row(300);
  for (const kernels::Kernels* k : kernels::available()) {
    std::vector<float> y(500);
    k->matmul_float(copy.matrix, 0, 500, {x.data(), 300}, 1, {y.data(), 500});
    for (std::size_t r = 0; r < 500; ++r) EXPECT_NEAR(y[r], exact[r], 0.7F) << k->name;  // 17 is their spread
    if (reference[0] == 0) reference = y;
    EXPECT_EQ(y, reference) << k->name;
    // Each weight is off by half a step at most.
    for (const std::size_t r : {0U, 499U}) {
      k->decode_float(copy.matrix, r, row.data());
      const auto original = std::span(head.values).subspan(r * 300, 300);
      const float largest =
          std::abs(*std::ranges::max_element(original, {}, [](float v) { return std::abs(v); }));
      for (std::size_t i = 0; i < 300; ++i) EXPECT_NEAR(row[i], original[i], largest / 253) << k->name;
    }
  }
}

}  // namespace
}  // namespace bitnet
