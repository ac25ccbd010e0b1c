#include "convert/absmean.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace bitnet::convert {
namespace {

std::vector<float> rounded(const std::vector<float>& values, float scale) {
  quant::CodedRow row;
  round_to_ternary(values, scale, row);
  std::vector<float> out(values.size());
  quant::decode_row(row, out.data());
  return out;
}

TEST(Absmean, TheScaleIsTheMeanMagnitudeButNoLessThanTheFloor) {
  EXPECT_EQ(absmean_scale(sum_of_magnitudes(std::vector<float>{-1.0F, 0.5F, 0.0F, 0.25F}), 4), 0.4375F);
  EXPECT_EQ(absmean_scale(0.0, 4), 1e-5F);
  EXPECT_EQ(absmean_scale(sum_of_magnitudes(std::vector<float>{1e-6F, -1e-6F}), 2), 1e-5F);
}

// A float stops counting ones at 2^24.
TEST(Absmean, TheMeanOfManyValuesLosesNoneOfThem) {
  const std::vector<float> row(1U << 12, 1.0F);
  double sum = 0;
  for (int i = 0; i < 1 << 13; ++i) sum += sum_of_magnitudes(row);
  EXPECT_EQ(absmean_scale(sum, std::uint64_t{1} << 25), 1.0F);
}

TEST(Absmean, AValueThatIsNotFiniteMakesTheScaleSo) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FALSE(std::isfinite(absmean_scale(sum_of_magnitudes(std::vector<float>{1.0F, bad}), 2)));
  }
}

TEST(Absmean, ValuesAreRoundedToTheNearestAndTiesToEven) {
  const float s = 0.25F;
  const float above = std::nextafter(0.125F, 1.0F);
  const float below = std::nextafter(0.375F, 1.0F);
  EXPECT_EQ(
      rounded({0.0F, 0.125F, -0.125F, above, -above, 0.25F, 0.375F, below, -0.375F, 100.0F, -100.0F}, s),
      (std::vector<float>{0, 0, 0, s, -s, s, s, s, -s, s, -s}));
}

TEST(Absmean, ARowOfTernaryValuesThatAreAllInUseKeepsThem) {
  std::vector<float> values(300);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 0.75F : -0.75F;
  const float scale = absmean_scale(sum_of_magnitudes(values), values.size());
  EXPECT_EQ(scale, 0.75F);
  EXPECT_EQ(rounded(values, scale), values);
}

}  // namespace
}  // namespace bitnet::convert
