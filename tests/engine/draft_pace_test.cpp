#include "engine/draft_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace bitnet {
namespace {

// What a pass of n tokens takes beside one.
using Cost = std::function<double(std::size_t n_tokens)>;

double cheap(std::size_t n) { return 1 + 0.15 * static_cast<double>(n - 1); }
double dear(std::size_t n) { return static_cast<double>(n); }

// A text whose next token is guessed right with a chance that depends on the match's length, run to
// `n_tokens`. Gives its time beside that of passes of one token.
double time_of(DraftPace& pace, const Cost& cost, const std::function<double(std::size_t)>& chance,
               std::size_t n_tokens, double noise = 0) {
  std::mt19937 random(7);
  const auto uniform = [&] { return static_cast<double>(random() >> 8U) * 0x1p-24; };
  std::size_t length = 2;
  double time = 0;
  for (std::size_t done = 0; done < n_tokens;) {
    const std::size_t n_draft = pace.plan(length, DraftPace::kMaxDraft);
    std::size_t n_kept = 0;
    for (bool is_right = true; is_right && n_kept <= n_draft; ++n_kept) {
      is_right = uniform() < chance(length);
      pace.saw_guess(length, is_right);
      length = is_right ? std::min<std::size_t>(length + 1, 32) : 2;
    }
    const double seconds = cost(n_draft + 1) * (1 + noise * uniform());
    time += seconds;
    pace.saw_pass(n_draft + 1, seconds, n_kept);
    done += n_kept;
  }
  return time / static_cast<double>(n_tokens);
}

TEST(DraftPace, DraftsNothingBeforeItKnowsWhatAPassTakes) {
  DraftPace pace;
  EXPECT_EQ(pace.plan(32, 15), 0U);
  for (int i = 0; i < 3; ++i) pace.saw_pass(1, 0.02, 1);
  EXPECT_GT(pace.plan(32, 15), 0U);
  EXPECT_LE(pace.plan(32, 2), 2U);
  EXPECT_EQ(pace.plan(0, 15), 0U);
}

TEST(DraftPace, DraftsLongWhereGuessesAreRightAndPassesCheap) {
  DraftPace pace;
  const double time = time_of(
      pace, cheap, [](std::size_t) { return 0.98; }, 400);
  EXPECT_LT(time, 1 / 2.5);
  EXPECT_GE(pace.plan(32, 15), 8U);
  EXPECT_GT(pace.gained_seconds(), 0);
}

TEST(DraftPace, DraftsNothingWhereAPassTakesAsLongAsItsTokensWould) {
  DraftPace pace;
  EXPECT_LT(time_of(
                pace, dear, [](std::size_t) { return 0.95; }, 400),
            1.03);
  EXPECT_EQ(pace.plan(32, 15), 0U);
}

// The promise: at most 3 % slower, also where lengths of matches tell nothing or mislead.
TEST(DraftPace, LosesNextToNothingWhateverTheText) {
  const std::vector<std::function<double(std::size_t)>> texts{
      [](std::size_t) { return 0.0; },
      [](std::size_t) { return 0.1; },
      [](std::size_t) { return 0.3; },
      [](std::size_t) { return 0.5; },
      [](std::size_t n) { return n < 8 ? 0.9 : 0.0; },
      [](std::size_t n) { return n == 2 ? 0.5 : 0.2; }};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const Cost& cost :
         {Cost(cheap), Cost(dear), Cost([](std::size_t n) { return n == 1 ? 1.0 : 2.7; })}) {
      for (const double noise : {0.0, 0.4}) {
        DraftPace pace;
        EXPECT_LT(time_of(pace, cost, texts[i], 400, noise), 1.03 * (1 + noise / 2)) << i << ", " << noise;
      }
    }
  }
}

TEST(DraftPace, BeginsAgainWhenTheTextRepeatsItselfAgain) {
  DraftPace pace;
  time_of(
      pace, cheap, [](std::size_t) { return 0.05; }, 500);
  EXPECT_EQ(pace.plan(3, 15), 0U);
  EXPECT_LT(time_of(
                pace, cheap, [](std::size_t) { return 0.97; }, 300),
            0.6);
}

TEST(DraftPace, KeepsItsOpinionOverAPassThatWasDisturbed) {
  DraftPace pace;
  time_of(
      pace, cheap, [](std::size_t) { return 0.95; }, 300);
  const double before = pace.cost(9);
  pace.saw_pass(9, 100 * before, 9);
  EXPECT_LT(pace.cost(9), 1.2 * before);
}

TEST(DraftPace, ReckonsTheCostOfLengthsThatWereNotSeenFromThoseThatWere) {
  DraftPace pace;
  for (int i = 0; i < 4; ++i) pace.saw_pass(1, 1.0, 1);
  EXPECT_GT(pace.cost(4), 1.0);
  for (int i = 0; i < 4; ++i) pace.saw_pass(5, 1.5, 5);
  EXPECT_DOUBLE_EQ(pace.cost(5), 1.5);
  EXPECT_DOUBLE_EQ(pace.cost(3), 1.25);
  EXPECT_DOUBLE_EQ(pace.cost(9), 2.0);
}

}  // namespace
}  // namespace bitnet
