// Searches for several inputs together, each of which finds what it finds alone.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "model/head/searched_head.h"

namespace bitnet {
namespace {

using searched::by_sorting;
using searched::Head;
using searched::kNanInput;
using searched::random_input;
using searched::several_inputs;

void expect_same(std::span<const Candidate> found, const std::vector<Candidate>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(to_int(found[i].id), to_int(expected[i].id)) << i;
    EXPECT_EQ(found[i].logit, expected[i].logit) << i;
  }
}

TEST(SeveralSearches, FindsForSeveralInputsWhatItFindsForEach) {
  const std::vector<TokenId> also{TokenId{2998}, TokenId{0}, TokenId{7}};
  const std::vector<CandidateQuery> queries{{.n_best = 1},
                                            {.n_best = 40},
                                            {.n_best = 1, .within = 20.0F},
                                            {.n_best = 5},
                                            {.n_best = 3, .also = also}};
  for (const std::size_t rows : {5U, 300U, 2999U}) {
    for (const std::size_t cols : {130U, 300U}) {
      const Head head(rows, cols);
      for (const unsigned n_threads : {1U, 3U}) {
        ThreadPool pool(n_threads);
        const HeadScreen screen(head.w, pool);
        for (const kernels::Kernels* k : kernels::available()) {
          HeadSearch search(head.w, &screen, *k, pool);
          for (std::size_t n = 1; n <= HeadSearch::kMostTogether; ++n) {
            SCOPED_TRACE(std::string(k->name) + ", " + std::to_string(rows) + " x " + std::to_string(cols) +
                         ", " + std::to_string(n) + " inputs");
            const auto inputs = several_inputs(n, cols);
            std::vector<std::vector<float>> logits(n, std::vector<float>(rows, kNanInput));
            std::vector<HeadQuery> asked;
            for (std::size_t i = 0; i < n; ++i)
              asked.push_back({queries[i % queries.size()], inputs[i].data(), logits[i]});
            std::vector<HeadSearch::Found> found(n);
            search.find(asked, found);
            for (std::size_t i = 0; i < n; ++i) {
              SCOPED_TRACE(i);
              if (!found[i]) {
                k->matmul_float(head.w, 0, rows, {inputs[i].data(), cols}, 1, {logits[i].data(), rows});
                found[i] = search.choose_from_all(asked[i].query, logits[i]);
              }
              expect_same(*found[i], by_sorting(head.w, asked[i].query, inputs[i].data()));
            }
          }
        }
      }
    }
  }
}

TEST(SeveralSearches, BeginsWithAllBitsWhereSeveralInputsLeaveManyRows) {
  constexpr std::size_t kRows = 1501;
  const Head head(kRows, 2048);  // so many columns that four bits exclude few rows
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  for (const kernels::Kernels* k : kernels::available()) {
    HeadSearch search(head.w, &screen, *k, pool);
    for (unsigned round = 0; round < 40; ++round) {
      std::vector<std::vector<float>> inputs;
      for (unsigned i = 0; i < 4; ++i) {
        inputs.push_back(random_input(2048, 20 + 4 * round + i));
        // Their sum, which the middle of the codes is multiplied by, is far from zero.
        for (float& x : inputs.back()) x -= 2;
      }
      std::vector<std::vector<float>> logits(4, std::vector<float>(kRows, kNanInput));
      std::vector<HeadQuery> asked;
      for (unsigned i = 0; i < 4; ++i) asked.push_back({{.n_best = 1 + i}, inputs[i].data(), logits[i]});
      std::vector<HeadSearch::Found> found(4);
      search.find(asked, found);
      for (unsigned i = 0; i < 4; ++i) {
        SCOPED_TRACE(std::string(k->name) + ", round " + std::to_string(round) + ", " + std::to_string(i));
        ASSERT_TRUE(found[i]);
        if (round < 3) expect_same(*found[i], by_sorting(head.w, asked[i].query, inputs[i].data()));
      }
      const HeadSearchCounts counts = search.take_counts();
      EXPECT_EQ(counts.wide, round == 0 ? 0U : 4U) << k->name << " " << round;
      if (k->seven_bit_products == nullptr || counts.wide == 0) continue;
      for (const std::uint64_t of_single_bits : counts.bits) EXPECT_EQ(of_single_bits, 0U);
      // Beside the best estimates, at most nine each, rows whose bounds reach their logits.
      EXPECT_GT(counts.full, 4 * 9U) << k->name << " " << round;
    }
  }
}

// What four bits would leave is known without trying: of the rows' best estimates and these bits' bounds.
TEST(SeveralSearches, GoesBackToFourBitsWhereTheseLeaveFewRows) {
  constexpr std::size_t kRows = 1501;
  Head head(kRows, 2048);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<std::vector<float>> logits(4, std::vector<float>(kRows));
  std::vector<HeadSearch::Found> found(4);
  for (unsigned round = 0; round < 30; ++round) {
    std::vector<std::vector<float>> inputs;
    for (unsigned i = 0; i < 4; ++i) {
      const auto row = head.row(100 * i + round);
      const bool is_like_a_row = round >= 10 && round < 20;
      inputs.push_back(is_like_a_row ? std::vector<float>(row.begin(), row.end())
                                     : random_input(2048, 20 + 4 * round + i));
    }
    std::vector<HeadQuery> asked;
    for (unsigned i = 0; i < 4; ++i) asked.push_back({{.n_best = 1}, inputs[i].data(), logits[i]});
    search.find(asked, found);
    const bool is_wide = search.take_counts().wide > 0;
    EXPECT_EQ(is_wide, (round >= 1 && round < 11) || round >= 21) << round;
  }
}

TEST(SeveralSearches, ReadsTheScreenOnceForSeveralInputs) {
  const Head head(4096, 512);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  const auto inputs = several_inputs(4, 512);
  std::vector<std::vector<float>> logits(4, std::vector<float>(4096));
  std::vector<HeadQuery> asked;
  for (std::size_t i = 0; i < 4; ++i) asked.push_back({{.n_best = 1}, inputs[i].data(), logits[i]});
  std::vector<HeadSearch::Found> found(4);
  search.find(asked, found);
  const HeadSearchCounts together = search.take_counts();
  HeadSearchCounts apart;
  for (const HeadQuery& one : asked) ASSERT_TRUE(search.find(one.query, one.x, one.logits));
  apart = search.take_counts();
  EXPECT_EQ(together.searches, 4U);
  EXPECT_EQ(apart.searches, 4U);
  EXPECT_LT(together.bytes, apart.bytes / 2);
}

// An input whose low digits are all the same.
std::vector<float> with_low_digits(int low, const HeadScreen& screen, std::size_t cols, unsigned seed) {
  std::mt19937 rng(seed);
  std::vector<float> x(cols);
  for (std::size_t i = 0; i < cols; ++i) {
    const int high = static_cast<int>(rng() % 253) - 126;
    x[i] = static_cast<float>(256 * high + low) / screen.column_scale[i];
  }
  x[0] = 127 * 256 / screen.column_scale[0];  // the largest, which the unit is taken from
  return x;
}

// What coarse digits leave open, the others settle: hardly more rows are computed in full for several inputs
// together than for each alone.
TEST(SeveralSearches, ComputeAsFewRowsInFullAsSearchesAlone) {
  constexpr std::size_t kRows = 8000;
  constexpr std::size_t kCols = 512;
  const Head head(kRows, kCols);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<Candidate>> expected;
  for (unsigned i = 0; i < HeadSearch::kMostTogether; ++i) {
    const int low = i % 3 == 1 ? 120 : -120;
    inputs.push_back(i % 3 == 0 ? random_input(kCols, 40 + i) : with_low_digits(low, screen, kCols, i));
    expected.push_back(by_sorting(head.w, {.n_best = 1}, inputs.back().data()));
  }
  for (const kernels::Kernels* k : kernels::available()) {
    HeadSearch search(head.w, &screen, *k, pool);
    std::vector<std::vector<float>> logits(inputs.size(), std::vector<float>(kRows));
    std::vector<HeadQuery> asked;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      asked.push_back({{.n_best = 1}, inputs[i].data(), logits[i]});
    for (const HeadQuery& one : asked) ASSERT_TRUE(search.find(one.query, one.x, one.logits));
    const HeadSearchCounts alone = search.take_counts();
    std::vector<HeadSearch::Found> found(asked.size());
    for (int round = 0; round < 2; ++round) {  // where it can, the second begins with all bits
      search.find(asked, found);
      const HeadSearchCounts together = search.take_counts();
      EXPECT_LT(together.full, alone.full + alone.full / 4) << k->name << " " << round;
      for (std::size_t i = 0; i < asked.size(); ++i) expect_same(*found[i], expected[i]);
    }
  }
}

// What is wrong with one input, or makes its search not worth it, is nothing to the others.
TEST(SeveralSearches, GivesUpOneOfSeveralInputsAlone) {
  Head head(2400, 256);
  for (std::size_t r = 0; r < 2400; ++r) head.row(r)[0] = 1;
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<std::vector<float>> inputs(5, random_input(256, 3));
  inputs[0][9] = kNanInput;
  std::ranges::fill(inputs[2], 0.0F);
  inputs[2][0] = 1;  // all rows alike
  std::ranges::fill(inputs[3], 0.0F);
  std::vector<std::vector<float>> logits(5, std::vector<float>(2400));
  std::vector<HeadQuery> asked;
  for (std::size_t i = 0; i < 5; ++i) asked.push_back({{.n_best = 1}, inputs[i].data(), logits[i]});
  std::vector<HeadSearch::Found> found(5);
  search.find(asked, found);
  for (const std::size_t i : {0U, 2U, 3U}) EXPECT_FALSE(found[i]) << i;
  for (const std::size_t i : {1U, 4U}) {
    ASSERT_TRUE(found[i]) << i;
    expect_same(*found[i], by_sorting(head.w, {.n_best = 1}, inputs[i].data()));
  }
}

}  // namespace
}  // namespace bitnet
