#include "model/kept_rows.h"

#include <gtest/gtest.h>

namespace bitnet {
namespace {

constexpr std::size_t kKeptLayers = 3;

TEST(KeptRows, StayAfterManyProductsOfManyTokens) {
  KeptRows rows(kKeptLayers, false, "a test");
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(rows.leave_after_many(1)) << i;
  EXPECT_FALSE(rows.are_here(1));
  EXPECT_FALSE(rows.leave_after_many(1));
  EXPECT_TRUE(rows.are_here(1));
  EXPECT_FALSE(rows.are_here(2));
}

TEST(KeptRows, StayAtOnceWhereTheyWereFoundToBeFaster) {
  KeptRows rows(kKeptLayers, false, "a test");
  EXPECT_FALSE(rows.leave_after_few(2));
  EXPECT_TRUE(rows.are_here(2));
}

TEST(KeptRows, LeaveAfterAHundredProductsByColumns) {
  KeptRows rows(kKeptLayers, false, "a test");
  EXPECT_FALSE(rows.leave_after_columns(1));  // none are there
  rows.leave_after_few(1);
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(rows.leave_after_columns(1)) << i;
  EXPECT_TRUE(rows.leave_after_columns(1));
  EXPECT_FALSE(rows.are_here(1));
  EXPECT_FALSE(rows.leave_after_columns(1));
  // One by rows among them has the counting begin anew.
  rows.leave_after_few(1);
  for (int i = 0; i < 99; ++i) rows.leave_after_columns(1);
  rows.leave_after_few(1);
  EXPECT_FALSE(rows.leave_after_columns(1));
}

TEST(KeptRows, AlwaysStayInTheLayerWhereTheyAreTried) {
  KeptRows rows(kKeptLayers, true, "a test");
  EXPECT_TRUE(rows.is_tried(0));
  EXPECT_FALSE(rows.is_tried(1));
  EXPECT_FALSE(rows.are_here(0));  // before the first
  EXPECT_FALSE(rows.leave_after_many(0));
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(rows.leave_after_columns(0)) << i;
  EXPECT_TRUE(rows.are_here(0));
}

}  // namespace
}  // namespace bitnet
