#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/half.h"
#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Elementwise : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(Elementwise);

TEST_P(Elementwise, ExpIsWithinItsErrorBoundOverItsWholeRange) {
  std::vector<float> x;
  for (double v = -87; v <= 88; v += 0.00037) x.push_back(static_cast<float>(v));
  std::vector<float> y(x.size());
  kernels().exp(x.data(), y.data(), x.size());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = std::exp(static_cast<double>(x[i]));
    worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - want) / want);
  }
  EXPECT_LT(worst, 2e-7);
}

TEST_P(Elementwise, ExpIsFiniteOutsideItsRangeExactAtZeroAndKeepsNan) {
  const std::vector<float> x{0.0F, -0.0F, -1e30F, -kInfinity, 1e30F, kInfinity, kNan};
  std::vector<float> y(x.size());
  kernels().exp(x.data(), y.data(), x.size());
  EXPECT_EQ(y[0], 1.0F);
  EXPECT_EQ(y[1], 1.0F);
  for (const std::size_t i : {2U, 3U}) EXPECT_TRUE(y[i] > 0 && y[i] < 2e-38F) << y[i];
  for (const std::size_t i : {4U, 5U}) EXPECT_TRUE(std::isfinite(y[i]) && y[i] > 1e38F) << y[i];
  EXPECT_TRUE(std::isnan(y[6]));
}

TEST_P(Elementwise, RmsNormDividesByTheRootMeanSquareWithoutSubtractingTheMean) {
  for (const std::size_t n : kOddLengths) {
    auto x = random_floats(n, static_cast<unsigned>(n));
    for (float& v : x) v += 3.0F;  // a mean that a LayerNorm would take away
    const auto weight = random_floats(n, 7);
    const float eps = 0.25F;  // large enough that leaving it out, or another one, shows
    std::vector<float> y(n);
    kernels().rms_norm(x.data(), weight.data(), eps, n, y.data());
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double divisor = std::sqrt(squares / static_cast<double>(n) + 0.25);
    for (std::size_t i = 0; i < n; ++i) {
      const double want = x[i] / divisor * weight[i];
      EXPECT_NEAR(y[i], want, 1e-6 * (1 + std::fabs(want)));
    }
  }
}

TEST_P(Elementwise, RmsNormOfZerosIsZero) {
  const std::vector<float> x(33, 0.0F);
  const std::vector<float> weight(33, 1.0F);
  std::vector<float> y(33, kNan);
  kernels().rms_norm(x.data(), weight.data(), 1e-5F, 33, y.data());
  for (const float v : y) EXPECT_EQ(v, 0.0F);
}

TEST_P(Elementwise, ReluSquaredGateIsNotASilu) {
  std::vector<float> gate{-2.0F, -0.5F, 0.0F, 0.5F, 3.0F};
  const std::vector<float> up{1.0F, 2.0F, 3.0F, 4.0F, -5.0F};
  kernels().relu2_mul(gate.data(), up.data(), gate.size());
  EXPECT_EQ(gate, (std::vector<float>{0.0F, 0.0F, 0.0F, 1.0F, -45.0F}));
}

TEST_P(Elementwise, ReluSquaredDoesNotOverflowWhereAHalfWould) {
  std::vector<float> gate{1000.0F};
  const std::vector<float> up{1000.0F};
  kernels().relu2_mul(gate.data(), up.data(), 1);
  EXPECT_EQ(gate[0], 1e9F);
}

TEST_P(Elementwise, SiluGateAgreesWithItsDefinition) {
  const auto x = random_floats(1000, 3, 20.0F);
  const auto up = random_floats(1000, 4);
  auto gate = x;
  kernels().silu_mul(gate.data(), up.data(), gate.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = x[i] / (1 + std::exp(-static_cast<double>(x[i]))) * up[i];
    EXPECT_NEAR(gate[i], want, 1e-6 * std::fabs(want) + 1e-30) << x[i];
  }
}

TEST_P(Elementwise, RopeNeoxTurnsSplitHalvesAndRopeNormNeighbours) {
  for (const std::size_t d : {std::size_t{2}, std::size_t{6}, std::size_t{32}, std::size_t{34},
                              std::size_t{64}, std::size_t{80}, std::size_t{128}}) {
    const auto x = random_floats(d, static_cast<unsigned>(d));
    std::vector<float> cos(d / 2);
    std::vector<float> sin(d / 2);
    for (std::size_t i = 0; i < d / 2; ++i) {
      cos[i] = std::cos(0.3F * static_cast<float>(i + 1));
      sin[i] = std::sin(0.3F * static_cast<float>(i + 1));
    }
    auto neox = x;
    auto norm = x;
    kernels().rope_neox(neox.data(), cos.data(), sin.data(), d);
    kernels().rope_norm(norm.data(), cos.data(), sin.data(), d);
    for (std::size_t i = 0; i < d / 2; ++i) {
      const double c = cos[i];
      const double s = sin[i];
      EXPECT_NEAR(neox[i], x[i] * c - x[i + d / 2] * s, 1e-6);
      EXPECT_NEAR(neox[i + d / 2], x[i + d / 2] * c + x[i] * s, 1e-6);
      EXPECT_NEAR(norm[2 * i], x[2 * i] * c - x[2 * i + 1] * s, 1e-6);
      EXPECT_NEAR(norm[2 * i + 1], x[2 * i + 1] * c + x[2 * i] * s, 1e-6);
    }
  }
}

TEST_P(Elementwise, QuantizationScalesByTheRowsOwnMaximum) {
  for (const std::size_t n : kOddLengths) {
    const auto x = random_floats(n, static_cast<unsigned>(n) + 5, 0.01F);
    const std::size_t padded = (n + 63) / 64 * 64;
    std::vector<std::int8_t> q(padded + 8, 99);
    float scale = 0;
    std::int32_t sum = 0;
    kernels().quantize(x.data(), n, padded, q.data(), &scale, &sum);
    float widest = 0;
    for (const float v : x) widest = std::max(widest, std::fabs(v));
    EXPECT_EQ(scale, 127.0F / widest);
    std::int32_t total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(q[i], static_cast<int>(std::nearbyint(x[i] * scale)));
      total += q[i];
    }
    EXPECT_EQ(sum, total);
    for (std::size_t i = n; i < padded; ++i) EXPECT_EQ(q[i], 0);
    for (std::size_t i = padded; i < q.size(); ++i) EXPECT_EQ(q[i], 99);
  }
}

TEST_P(Elementwise, QuantizationRoundsTiesToEven) {
  std::vector<float> x{127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 126.5F, -127.0F};  // scale is exactly 1
  std::vector<std::int8_t> q(64);
  float scale = 0;
  std::int32_t sum = 0;
  kernels().quantize(x.data(), x.size(), 64, q.data(), &scale, &sum);
  EXPECT_EQ(scale, 1.0F);
  const std::vector<int> want{127, 0, 2, 2, 0, -2, -2, 126, -127};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_EQ(q[i], want[i]) << i;
}

TEST_P(Elementwise, QuantizationOfZerosIsFinite) {
  const std::vector<float> x(40, 0.0F);
  std::vector<std::int8_t> q(64, 1);
  float scale = 0;
  std::int32_t sum = 1;
  kernels().quantize(x.data(), x.size(), 64, q.data(), &scale, &sum);
  EXPECT_TRUE(std::isfinite(scale) && scale > 0);
  EXPECT_EQ(sum, 0);
  EXPECT_TRUE(std::all_of(q.begin(), q.end(), [](int v) { return v == 0; }));
}

// Below a hundred thousandth a row has the scale of one: what is all but zero is not blown up.
TEST_P(Elementwise, QuantizationHasALeastMaximum) {
  const auto code_and_scale = [&](float widest) {
    std::vector<float> x(40, 0.0F);
    x[33] = widest;
    std::vector<std::int8_t> q(64);
    float scale = 0;
    std::int32_t sum = 0;
    kernels().quantize(x.data(), x.size(), 64, q.data(), &scale, &sum);
    return std::pair(static_cast<int>(q[33]), scale);
  };
  EXPECT_EQ(code_and_scale(2e-5F), std::pair(127, 127.0F / 2e-5F));
  EXPECT_EQ(code_and_scale(1e-5F), std::pair(127, 127.0F / 1e-5F));
  EXPECT_EQ(code_and_scale(2e-6F), std::pair(25, 127.0F / 1e-5F));
}

TEST_P(Elementwise, QuantizationPassesOnNanAndInfinityInsteadOfHidingThem) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{16}, std::size_t{36}}) {
      auto x = random_floats(37, 1);
      x[at] = bad;
      std::vector<std::int8_t> q(64);
      float scale = 0;
      std::int32_t sum = 0;
      kernels().quantize(x.data(), x.size(), 64, q.data(), &scale, &sum);
      EXPECT_TRUE(std::isnan(scale)) << bad << " at " << at;
    }
  }
}

TEST_P(Elementwise, StoringHalvesRoundsToNearestEven) {
  const auto x = random_floats(1000, 9, 100.0F);
  std::vector<std::uint16_t> y(x.size());
  kernels().store_f16(x.data(), y.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], f32_to_f16(x[i]));
}

// The contract: not close, the same bits, at every length.
TEST_P(Elementwise, GivesTheScalarBackendsBits) {
  for (const std::size_t n : kOddLengths) {
    for (const float spread : {1e-20F, 1e-3F, 1.0F, 50.0F, 1e18F}) {
      const auto x = random_floats(n, static_cast<unsigned>(n), spread);
      const auto w = random_floats(n, static_cast<unsigned>(n) + 1);
      const auto run = [&](const Kernels& k) {
        std::vector<std::vector<float>> out(6, x);
        k.rms_norm(x.data(), w.data(), 1e-5F, n, out[0].data());
        k.add(out[1].data(), w.data(), n);
        k.exp(x.data(), out[2].data(), n);
        k.relu2_mul(out[3].data(), w.data(), n);
        k.silu_mul(out[4].data(), w.data(), n);
        std::vector<std::int8_t> q(n + 64);
        std::int32_t sum = 0;
        k.quantize(x.data(), n, n + 64, q.data(), out[5].data(), &sum);
        for (const std::int8_t v : q) out[5].push_back(v);
        out[5].push_back(static_cast<float>(sum));
        if (n % 2 == 0) {
          out.push_back(x);
          k.rope_neox(out.back().data(), w.data(), w.data() + n / 2, n);
          out.push_back(x);
          k.rope_norm(out.back().data(), w.data(), w.data() + n / 2, n);
        }
        std::vector<std::uint16_t> halves(n);
        k.store_f16(x.data(), halves.data(), n);
        out.emplace_back(halves.begin(), halves.end());
        return out;
      };
      const auto ours = run(kernels());
      const auto want = run(scalar());
      for (std::size_t i = 0; i < want.size(); ++i)
        EXPECT_TRUE(same_bits(ours[i], want[i])) << "result " << i << ", n " << n;
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
