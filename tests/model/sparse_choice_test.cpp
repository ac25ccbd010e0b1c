#include "model/sparse_choice.h"

#include <gtest/gtest.h>

namespace bitnet {
namespace {

// n decisions about a part of `work`, where all of it takes `all` and a part all of `whole_part` times the
// work. Returns how often it was the part.
std::size_t decide(SparseChoice& choice, std::size_t n, double work, double all, double whole_part) {
  std::size_t n_parts = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const bool is_part = choice.is_for_part(work);
    choice.add(is_part, work, is_part ? whole_part * work : all);
    n_parts += static_cast<std::size_t>(is_part);
  }
  return n_parts;
}

TEST(SparseChoice, ComesToTheFasterWay) {
  SparseChoice fast_part;
  EXPECT_GT(decide(fast_part, 1000, 0.2, 1.0, 3.0), 970U);
  SparseChoice slow_part;
  EXPECT_LT(decide(slow_part, 1000, 0.2, 1.0, 6.0), 30U);
}

TEST(SparseChoice, GoesByTheWorkOfEachPart) {
  SparseChoice choice;
  decide(choice, 1000, 0.2, 1.0, 3.0);
  EXPECT_LT(decide(choice, 100, 0.5, 1.0, 3.0), 5U);
  EXPECT_GT(decide(choice, 100, 0.1, 1.0, 3.0), 95U);
}

TEST(SparseChoice, FindsOutWithinAFewTriesThatTheMachineHasChanged) {
  SparseChoice choice;
  decide(choice, 1000, 0.2, 1.0, 6.0);
  decide(choice, 140, 0.2, 2.0, 6.0);
  EXPECT_GT(decide(choice, 1000, 0.2, 2.0, 6.0), 970U);
  decide(choice, 140, 0.2, 0.5, 6.0);
  EXPECT_LT(decide(choice, 1000, 0.2, 0.5, 6.0), 30U);
}

TEST(SparseChoice, TriesTheSlowerWayTooSeldomToCostAPercent) {
  SparseChoice choice;
  decide(choice, 100, 0.2, 1.0, 10.0);
  EXPECT_LE(decide(choice, 12800, 0.2, 1.0, 10.0), 100U);
}

// A thread that lost its processor for a while, or the first time when nothing was in a cache.
TEST(SparseChoice, IsNotThrownOffByTimesOutOfTheOrdinary) {
  SparseChoice choice;
  choice.add(true, 0.2, 100);
  choice.add(false, 0.2, 100);
  decide(choice, 1000, 0.2, 1.0, 3.0);
  choice.add(true, 0.2, 1000);
  EXPECT_GT(decide(choice, 100, 0.2, 1.0, 3.0), 90U);
}

// Pages that were touched for the first time in all of the first ones.
TEST(SparseChoice, IsNotHeldByFirstTimesThatWereSlow) {
  SparseChoice choice;
  decide(choice, 4, 0.2, 20.0, 6.0);
  decide(choice, 140, 0.2, 1.0, 6.0);
  EXPECT_LT(decide(choice, 1000, 0.2, 1.0, 6.0), 30U);
}

TEST(SparseChoice, TriesAllOnlyWhereItCanBeTried) {
  SparseChoice choice;
  for (std::size_t i = 0; i < 300; ++i) EXPECT_TRUE(choice.is_for_part(0.2, false));
  decide(choice, 1000, 0.2, 1.0, 3.0);
  for (std::size_t i = 0; i < 300; ++i) {
    EXPECT_TRUE(choice.is_for_part(0.2, false));
    choice.add(true, 0.2, 0.6);
  }
  // What is known of it holds there too.
  decide(choice, 300, 0.2, 0.5, 3.0);
  EXPECT_FALSE(choice.is_for_part(0.2, false));
}

// One way and the other by turns would leave the rows of neither in memory.
TEST(SparseChoice, DoesNotGoBackAndForthBetweenWaysThatAreNearlyAsFast) {
  SparseChoice choice;
  decide(choice, 100, 0.2, 1.0, 3.0);
  EXPECT_GT(decide(choice, 1000, 0.2, 1.0, 5.1), 970U);
  decide(choice, 100, 0.2, 1.0, 6.0);
  EXPECT_LT(decide(choice, 1000, 0.2, 1.0, 4.9), 30U);
}

// Where they take the same time, nothing is to be gained.
TEST(SparseChoice, LeavesWhatCannotBeToldApartAsItIs) {
  SparseChoice choice;
  EXPECT_LT(decide(choice, 1000, 0.2, 1.0, 5.0), 30U);
}

}  // namespace
}  // namespace bitnet
