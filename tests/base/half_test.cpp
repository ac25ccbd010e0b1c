#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace bitnet {
namespace {

// The value by the definition of binary16, independent of bit tricks.
double by_definition(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const int mantissa = h & 1023;
  const double sign = (h & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, EveryBinary16ValueIsReadExactly) {
  for (unsigned h = 0; h <= 0xFFFF; ++h) {
    const double want = by_definition(static_cast<std::uint16_t>(h));
    const float got = f16_to_f32(static_cast<std::uint16_t>(h));
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got)) << h;
    } else {
      EXPECT_EQ(static_cast<double>(got), want) << h;
      EXPECT_EQ(std::signbit(got), std::signbit(want)) << h;
      EXPECT_EQ(f32_to_f16(got), h);
    }
  }
}

TEST(Half, RoundingGoesToTheNearestAndTiesToEven) {
  for (unsigned h = 0; h < 0x7BFF; ++h) {  // each pair of neighbouring positive values
    const auto low = static_cast<float>(by_definition(static_cast<std::uint16_t>(h)));
    const auto high = static_cast<float>(by_definition(static_cast<std::uint16_t>(h + 1)));
    const float middle = low + (high - low) / 2;  // exact in binary32
    EXPECT_EQ(f32_to_f16(middle), (h & 1) != 0 ? h + 1 : h);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, low)), h);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, high)), h + 1);
    EXPECT_EQ(f32_to_f16(-middle), 0x8000U | ((h & 1) != 0 ? h + 1 : h));
  }
}

TEST(Half, OverflowBecomesInfinityAndNanStaysNan) {
  EXPECT_EQ(f32_to_f16(65504.0F), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65519.996F), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7C00);
  EXPECT_EQ(f32_to_f16(1e30F), 0x7C00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(f32_to_f16(1e-30F), 0);
  EXPECT_EQ(f32_to_f16(-1e-30F), 0x8000);
}

TEST(Half, RoundingToBfloat16GoesToTheNearestAndTiesToEven) {
  for (unsigned h = 0; h < 0x7F7F; ++h) {  // each pair of neighbouring positive values
    const float low = bf16_to_f32(static_cast<std::uint16_t>(h));
    const float high = bf16_to_f32(static_cast<std::uint16_t>(h + 1));
    const float middle = low + (high - low) / 2;  // exact in binary32
    EXPECT_EQ(f32_to_bf16(low), h);
    EXPECT_EQ(f32_to_bf16(middle), (h & 1) != 0 ? h + 1 : h);
    EXPECT_EQ(f32_to_bf16(std::nextafter(middle, low)), h);
    EXPECT_EQ(f32_to_bf16(std::nextafter(middle, high)), h + 1);
    EXPECT_EQ(f32_to_bf16(-middle), 0x8000U | ((h & 1) != 0 ? h + 1 : h));
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(f32_to_bf16(-kInfinity), 0xFF80);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7F800001U)))));
}

TEST(Half, Bfloat16IsTheUpperHalfOfABinary32) {
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0F);
  EXPECT_EQ(bf16_to_f32(0xC040), -3.0F);
  EXPECT_TRUE(std::isinf(bf16_to_f32(0x7F80)));
}

}  // namespace
}  // namespace bitnet
