// What is counted, and what is made of it.
#include "model/i2s/layout_judge.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "support/gguf_builder.h"

namespace bitnet::test {
namespace {

// Zeros in every column, each with a share of its own.
struct TritColumns {
  std::size_t rows;
  std::size_t cols;
  std::vector<std::int8_t> values;
  std::vector<std::uint32_t> zeros;  // [cols]
};

TritColumns random_columns(std::size_t rows, std::size_t cols) {
  std::mt19937 random(3);
  TritColumns t{rows, cols, std::vector<std::int8_t>(rows * cols), std::vector<std::uint32_t>(cols)};
  for (std::size_t i = 0; i < t.values.size(); ++i) {
    const bool is_zero = random() % 128 < (i % cols) * 37 % 128;
    t.values[i] = static_cast<std::int8_t>(is_zero ? 0 : random() % 2 == 0 ? 1 : -1);
    if (is_zero) ++t.zeros[i % cols];
  }
  return t;
}

PlaceCounts count_places(const TritColumns& t, I2sLayout layout) {
  const std::vector<std::byte> bytes = pack_i2s(t.values, 1, layout, t.cols);
  PlaceCounts counts(t.cols);
  counts.add(std::span(bytes).first(t.values.size() / 4));
  return counts;
}

// Beyond what a count of eight bits holds, too.
TEST(PlaceCounts, AreTheZerosOfEachColumnUnderTheRightLayout) {
  for (const std::size_t rows : {4U, 12U, 1032U}) {
    const TritColumns t = random_columns(rows, 256);
    for (const I2sLayout written : kI2sLayouts) {
      const PlaceCounts counts = count_places(t, written);
      for (const I2sLayout read : kI2sLayouts) {
        if (read == written) {
          EXPECT_EQ(counts.by_column(read), t.zeros);
        } else {
          EXPECT_NE(counts.by_column(read), t.zeros);
        }
      }
    }
  }
  const TritColumns odd = random_columns(7, 128);  // rows4 has no such thing
  for (const I2sLayout written : {I2sLayout::x86, I2sLayout::arm}) {
    EXPECT_EQ(count_places(odd, written).by_column(written), odd.zeros);
  }
}

TEST(PlaceCounts, AddUp) {
  const TritColumns t = random_columns(8, 128);
  const std::vector<std::byte> bytes = pack_i2s(t.values, 1);
  PlaceCounts first(128);
  PlaceCounts second(128);
  first.add(std::span(bytes).first(128));
  second.add(std::span(bytes).subspan(128, 128));
  first.add(second);
  EXPECT_EQ(first.by_column(I2sLayout::x86), t.zeros);
}

TEST(LayoutJudge, FindsTheLayoutInWhichColumnsGoWithTheirNorms) {
  const TritColumns t = random_columns(64, 512);
  std::vector<float> norm(t.cols);
  for (std::size_t c = 0; c < t.cols; ++c) norm[c] = static_cast<float>(c * 37 % 128);
  for (const I2sLayout written : kI2sLayouts) {
    LayoutJudge judge;
    EXPECT_EQ(judge.verdict(), std::nullopt);
    const auto evidence = layout_evidence(count_places(t, written), norm);
    ASSERT_TRUE(evidence.has_value());
    judge.add(*evidence);
    EXPECT_EQ(judge.verdict(), written);
    EXPECT_EQ(judge.n_pairs(), 1U);
  }
}

// No order among equals may be taken for a relation, and nothing is made of chance.
TEST(LayoutJudge, SaysNothingWithoutARelation) {
  const TritColumns t = random_columns(64, 256);
  const PlaceCounts counts = count_places(t, I2sLayout::x86);
  EXPECT_EQ(layout_evidence(PlaceCounts(256), std::vector<float>(256, 1.0F)), std::nullopt);
  EXPECT_EQ(layout_evidence(counts, std::vector<float>(256, 1.0F)), std::nullopt);
  EXPECT_EQ(layout_evidence(counts, std::vector<float>(256, std::numeric_limits<float>::quiet_NaN())),
            std::nullopt);
  std::mt19937 random(1);
  LayoutJudge judge;
  for (int i = 0; i < 100; ++i) {
    std::vector<float> norm(256);
    for (float& v : norm) v = static_cast<float>(random() % 1000);
    judge.add(*layout_evidence(counts, norm));
    EXPECT_EQ(judge.verdict(), std::nullopt) << i;
  }
}

// Half of the evidence for another layout is doubt enough.
TEST(LayoutJudge, SaysNothingWhereTwoLayoutsAreNearEachOther) {
  LayoutJudge judge;
  judge.add({1000, 501, 1});
  EXPECT_EQ(judge.verdict(), std::nullopt);
  judge.add({1000, 1, 1});
  EXPECT_EQ(judge.verdict(), I2sLayout::x86);
}

}  // namespace
}  // namespace bitnet::test
