#include "diagnostics/rank_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace bitnet {
namespace {

using Values = std::vector<double>;

TEST(RankTest, CountsTheWaysToStandAsLow) {
  EXPECT_DOUBLE_EQ(rank_test(Values{1}, Values{2}), 1.0 / 2);
  EXPECT_DOUBLE_EQ(rank_test(Values{2}, Values{1}), 1.0);
  EXPECT_DOUBLE_EQ(rank_test(Values{1, 2, 3}, Values{4, 5, 6}), 1.0 / 20);
  EXPECT_DOUBLE_EQ(rank_test(Values{1, 2, 4}, Values{3, 5, 6}), 2.0 / 20);
  EXPECT_DOUBLE_EQ(rank_test(Values{4, 5, 6}, Values{1, 2, 3}), 1.0);
  EXPECT_DOUBLE_EQ(rank_test(Values{5, 3, 1, 2, 4}, Values{9, 8, 7, 6, 10}), 1.0 / 252);
}

// Hollander and Wolfe's permeability of membranes, the example of R's wilcox.test: W = 35, p = 0.1272.
TEST(RankTest, GivesThePublishedValueOfAKnownExample) {
  const Values at_term{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  const Values earlier{1.15, 0.88, 0.90, 0.74, 1.21};
  EXPECT_NEAR(rank_test(earlier, at_term), 0.1272, 5e-5);
}

TEST(RankTest, GivesEqualValuesTheirMeanRank) {
  // Of the six pairs out of {1, 1, 1, 2} the three without the 2 are as low.
  EXPECT_DOUBLE_EQ(rank_test(Values{1, 1}, Values{1, 2}), 0.5);
  EXPECT_DOUBLE_EQ(rank_test(Values{3, 3, 3}, Values{3, 3}), 1.0);
}

TEST(RankTest, SaysNothingOfNoValues) {
  EXPECT_EQ(rank_test({}, Values{1}), 1.0);
  EXPECT_EQ(rank_test(Values{1}, {}), 1.0);
}

// As many values as are still counted exactly, and one more.
TEST(RankTest, ApproximatesWhatItDoesNotCount) {
  const auto shifted = [](int n) {
    Values low;
    Values high;
    for (int i = 0; i < n; ++i) {
      low.push_back(i);
      high.push_back(i + 6.5);
    }
    return rank_test(low, high);
  };
  EXPECT_NEAR(shifted(30), shifted(31), 0.005);
  EXPECT_GT(shifted(31), 0.001);
  const Values equal(50, 1.0);
  EXPECT_EQ(rank_test(equal, equal), 1.0);
}

TEST(TypicalRatio, IsTheMedianOfAllRatios) {
  EXPECT_DOUBLE_EQ(typical_ratio(Values{2}, Values{4}), 0.5);
  EXPECT_DOUBLE_EQ(typical_ratio(Values{9, 9, 9, 9, 1000}, Values{10, 10, 10, 10, 0.001}), 0.9);
  EXPECT_DOUBLE_EQ(typical_ratio(Values{1, 4}, Values{1}), 2.0);
}

}  // namespace
}  // namespace bitnet
