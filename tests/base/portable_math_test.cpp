#include "base/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace bitnet {
namespace {

TEST(PortableMath, LogAndExpAgreeWithTheCLibrary) {
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> exponent(-600, 600);
  for (int i = 0; i < 20000; ++i) {
    const double x = exponent(rng);
    const double e = std::exp(x);
    EXPECT_NEAR(portable_exp(x) / e, 1.0, 2e-15) << x;
    EXPECT_NEAR(portable_log(e), x, 1e-15 * std::fmax(1.0, std::fabs(x))) << x;
  }
  EXPECT_EQ(portable_exp(0), 1.0);
  EXPECT_EQ(portable_log(1), 0.0);
}

TEST(PortableMath, PowMakesRopeFrequencies) {
  for (const double theta : {10000.0, 500000.0, 1e6}) {
    for (const int d : {32, 64, 80, 128}) {
      for (int i = 0; i < d; i += 2) {
        const double e = -static_cast<double>(i) / d;
        EXPECT_NEAR(portable_pow(theta, e) / std::pow(theta, e), 1.0, 1e-14);
      }
    }
  }
}

TEST(PortableMath, SinCosAgreeWithTheCLibraryOverLongContexts) {
  std::mt19937_64 rng(2);
  for (const double limit : {1.0, 4096.0, 131072.0, 0x1p24}) {
    std::uniform_real_distribution<double> angle(0, limit);
    for (int i = 0; i < 20000; ++i) {
      const double x = angle(rng);
      const SinCos sc = portable_sincos(x);
      EXPECT_NEAR(sc.sin, std::sin(x), 1e-14) << x;
      EXPECT_NEAR(sc.cos, std::cos(x), 1e-14) << x;
    }
  }
  EXPECT_EQ(portable_sincos(0).sin, 0.0);
  EXPECT_EQ(portable_sincos(0).cos, 1.0);
}

}  // namespace
}  // namespace bitnet
