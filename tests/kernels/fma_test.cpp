#include "kernels/scalar/fma.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace bitnet::kernels {
namespace {

// All NaNs count as one: which of several comes out is left to the processor.
bool is_same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

// Floats of which sums of products are hard to round.
class Draw {
 public:
  std::uint32_t bits(unsigned n) { return static_cast<std::uint32_t>(random_()) >> (32 - n); }
  float any() { return std::bit_cast<float>(bits(32)); }
  // n bits from the first that is set, times a power of two in [2^-range, 2^range].
  float of_bits(unsigned n, int range) {
    const auto whole = static_cast<float>(bits(n) | 1U << (n - 1));
    const float sign = bits(1) == 0 ? 1.0F : -1.0F;
    return sign *
           std::ldexp(whole, static_cast<int>(bits(32) % (2 * static_cast<unsigned>(range) + 1)) - range);
  }

 private:
  std::mt19937 random_{7};
};

void expect_rounded_once(float a, float b, float c) {
  const float expected = std::fma(a, b, c);
  if (is_same(scalar::fma(a, b, c), expected)) return;
  ADD_FAILURE() << std::hexfloat << a << " * " << b << " + " << c << " is " << scalar::fma(a, b, c)
                << " and not " << expected;
}

constexpr int kDraws = 100000;

TEST(Fma, RoundsOnceWhateverTheFloats) {
  Draw draw;
  for (int i = 0; i < kDraws; ++i) expect_rounded_once(draw.any(), draw.any(), draw.any());
}

TEST(Fma, RoundsOnceWhereTheSumIsHalfwayOrNearlyThere) {
  Draw draw;
  for (int i = 0; i < kDraws; ++i) {
    const unsigned n = 1 + draw.bits(3);
    const float a = draw.of_bits(n, 20);
    const float b = draw.of_bits(n, 20);
    expect_rounded_once(a, b, draw.of_bits(24, 40));
    expect_rounded_once(draw.of_bits(24, 20), draw.of_bits(24, 20), draw.of_bits(n, 40));
  }
}

// So little that a double does not hold the sum: rounding that to a float would be a second time.
TEST(Fma, RoundsOnceWhereTheSumIsHalfwayButForVeryLittle) {
  Draw draw;
  for (int i = 0; i < kDraws; ++i) {
    // A product of 25 bits, the last of them set: halfway between two floats.
    const auto a = static_cast<float>(draw.bits(13) | 0x1801U);
    const auto b = static_cast<float>(draw.bits(12) | 0xC01U);
    const float little = draw.of_bits(1 + draw.bits(4), 1) * 0x1p-60F;
    for (const float sign : {1.0F, -1.0F}) expect_rounded_once(sign * a, b, little);
    // Half of the last bit of c, less or more by 2^-46 of itself.
    const float c = std::fabs(draw.of_bits(24, 0));
    for (const float more : {0x1p-23F, -0x1p-23F}) {
      expect_rounded_once(0.5F + 0.5F * more, 1.0F - more, c);
      expect_rounded_once(0.5F + 0.5F * more, more - 1.0F, c);
    }
  }
}

TEST(Fma, RoundsOnceWhereMostOfTheProductIsTakenAway) {
  Draw draw;
  for (int i = 0; i < kDraws; ++i) {
    const float a = draw.of_bits(24, 10);
    const float b = draw.of_bits(24, 10);
    const float c = -a * b;
    expect_rounded_once(a, b, c);
    expect_rounded_once(a, b, std::nextafter(c, 0.0F));
  }
}

TEST(Fma, RoundsOnceToTheSmallestFloatsAndBeyondTheLargest) {
  Draw draw;
  for (int i = 0; i < kDraws; ++i) {
    const float subnormal = std::bit_cast<float>(draw.bits(23));
    expect_rounded_once(draw.of_bits(24, 30) * 0x1p-90F, draw.of_bits(24, 30) * 0x1p-80F, subnormal);
    expect_rounded_once(subnormal, draw.of_bits(24, 10), -subnormal);
    expect_rounded_once(draw.of_bits(24, 1) * 0x1p40F, draw.of_bits(24, 1) * 0x1p40F,
                        draw.of_bits(24, 1) * 0x1p103F);
  }
}

TEST(Fma, KnowsZerosInfinitiesAndNan) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float values[] = {0.0F,
                          -0.0F,
                          1.0F,
                          -1.0F,
                          kInfinity,
                          -kInfinity,
                          std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::denorm_min()};
  for (const float a : values) {
    for (const float b : values) {
      for (const float c : values) expect_rounded_once(a, b, c);
    }
  }
}

TEST(Fma, OfFourIsThatOfEach) {
  Draw draw;
  for (int i = 0; i < kDraws / 4; ++i) {
    float a[4];
    float b[4];
    float c[4];
    float d[4];
    for (int k = 0; k < 4; ++k) {
      a[k] = draw.any();
      b[k] = draw.any();
      c[k] = draw.any();
    }
    scalar::fma_of_four(a, b, c, d);
    for (int k = 0; k < 4; ++k) EXPECT_PRED2(is_same, d[k], std::fma(a[k], b[k], c[k])) << k;
  }
}

}  // namespace
}  // namespace bitnet::kernels
