// Rows in planes of few bits, and the bounds of what that loses.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/backends.h"
#include "kernels/screen.h"

namespace bitnet::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Planes of a few rows, in memory of their own.
struct TestPlanes {
  TestPlanes(std::size_t n_rows, std::size_t n_cols)
      : cols(n_cols),
        n_blocks((n_cols + kScreenBlock - 1) / kScreenBlock),
        upper(n_rows * n_blocks * kUpperBytes + 64),
        bounds(n_rows) {
    planes.upper = {upper.data(), n_blocks * kUpperBytes};
    for (std::size_t k = 0; k < kBitPlanes; ++k) {
      bits[k].resize(n_rows * n_blocks * kBitBytes + 64);
      planes.bits[k] = {bits[k].data(), n_blocks * kBitBytes};
    }
  }

  void set(const Kernels& k, std::size_t row, std::vector<float> values) {
    std::vector<std::uint8_t> codes(n_blocks * kScreenBlock);
    k.screen_row(values.data(), cols, row, codes.data(), planes, &bounds[row]);
  }

  // The parts of one code, by the words of screen.h alone.
  int u(std::size_t row, std::size_t i) const {
    const std::uint8_t* block = planes.upper.codes + row * planes.upper.row_bytes + i / 256 * 128;
    const std::size_t at = i % 256;
    const std::size_t byte = at < 128 ? at % 64 : 64 + at % 64;
    return at % 128 < 64 ? block[byte] & 15 : block[byte] >> 4;
  }
  int b(std::size_t k, std::size_t row, std::size_t i) const {
    const std::uint8_t* block = planes.bits[k].codes + row * planes.bits[k].row_bytes + i / 256 * 32;
    return block[i % 256 / 8] >> (i % 8) & 1;
  }
  // What the upper plane and the first n_bits of the others say of it, less 63.5.
  double level(std::size_t n_bits, std::size_t row, std::size_t i) const {
    constexpr double kMiddles[] = {-60, -62, -63, -63.5};
    int code = 8 * u(row, i);
    for (std::size_t k = 0; k < n_bits; ++k) code += (4 >> k) * b(k, row, i);
    return code + kMiddles[n_bits];
  }

  std::size_t cols;
  std::size_t n_blocks;
  std::vector<std::uint8_t> upper;
  std::array<std::vector<std::uint8_t>, kBitPlanes> bits;
  Planes planes;
  std::vector<RowBounds> bounds;
};

// Norm of the row less what `level` gives for each code, in doubles.
double true_error(const std::vector<float>& row, float scale,
                  const std::function<double(std::size_t)>& level) {
  double squares = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double d = static_cast<double>(row[i]) - static_cast<double>(scale) * level(i);
    squares += d * d;
  }
  return std::sqrt(squares);
}

std::vector<std::vector<float>> difficult_rows(std::size_t n) {
  std::vector<std::vector<float>> rows{random_floats(n, 1),          random_floats(n, 2, 1e-20F),
                                       random_floats(n, 3, 1e25F),   random_floats(n, 4, 1e-41F),
                                       std::vector<float>(n, 0.0F),  std::vector<float>(n, 0.25F),
                                       std::vector<float>(n, -3e38F)};
  rows.emplace_back(n, 1e-3F)[n / 2] = -40;  // one weight that clipping cuts far short
  rows.emplace_back(n, 0.0F)[n - 1] = 1e-45F;
  rows.emplace_back(n, 1e-30F)[0] = 1e30F;
  return rows;
}

class Screen : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(Screen);

TEST_P(Screen, BoundsHoldForRowsOfEverySizeAndKind) {
  for (const std::size_t n : kOddLengths) {
    const auto rows = difficult_rows(n);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      SCOPED_TRACE("row " + std::to_string(r) + " of " + std::to_string(n));
      TestPlanes p(1, n);
      p.set(kernels(), 0, rows[r]);
      const RowBounds& bounds = p.bounds[0];
      const double norm = true_error(rows[r], 0, [](std::size_t) { return 0; });
      // Bounds, and no idle ones: close but for a subnormal's own precision.
      const double room = norm * 1e-5 + 1e-44;
      const bool is_ordinary = norm > 0 && norm < 1e38;
      EXPECT_GE(static_cast<double>(bounds.norm), norm);
      if (is_ordinary) {
        EXPECT_LE(static_cast<double>(bounds.norm), norm * 1.001 + room);
      }
      for (std::size_t n_bits = 0; n_bits <= kBitPlanes; ++n_bits) {
        SCOPED_TRACE(std::to_string(n_bits) + " single bits");
        const double error =
            true_error(rows[r], bounds.scale, [&](std::size_t i) { return p.level(n_bits, 0, i); });
        EXPECT_GE(static_cast<double>(bounds.error[n_bits]), error);
        if (is_ordinary) {
          EXPECT_LE(static_cast<double>(bounds.error[n_bits]), error * 1.001 + room);
        }
      }
    }
  }
}

TEST_P(Screen, FewBitsComeCloseToNormallyDistributedRows) {
  TestPlanes p(1, 2560);
  p.set(kernels(), 0, random_floats(2560, 9));
  const RowBounds& bounds = p.bounds[0];
  EXPECT_LT(bounds.error[0], 0.13F * bounds.norm);
  EXPECT_LT(bounds.error[1], 0.07F * bounds.norm);
  EXPECT_LT(bounds.error[2], 0.05F * bounds.norm);
  EXPECT_LT(bounds.error[3], 0.04F * bounds.norm);
}

TEST_P(Screen, RowsAreTheSameBytesAsTheScalarBackends) {
  for (const std::size_t n : kOddLengths) {
    const auto rows = difficult_rows(n);
    TestPlanes mine(rows.size(), n);
    TestPlanes reference(rows.size(), n);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      mine.set(kernels(), r, rows[r]);
      reference.set(scalar(), r, rows[r]);
    }
    EXPECT_EQ(mine.upper, reference.upper) << n;
    EXPECT_EQ(mine.bits, reference.bits) << n;
    EXPECT_EQ(std::memcmp(mine.bounds.data(), reference.bounds.data(), rows.size() * sizeof(RowBounds)), 0)
        << n;
  }
}

TEST_P(Screen, WeightsThatAreNotFiniteHaveNoBound) {
  for (const float bad : {kInf, -kInf, std::numeric_limits<float>::quiet_NaN()}) {
    TestPlanes p(1, 200);
    std::vector<float> row = random_floats(200, 5);
    row[170] = bad;
    p.set(kernels(), 0, row);
    EXPECT_EQ(p.bounds[0].norm, kInf);
    EXPECT_EQ(p.bounds[0].error[kBitPlanes], kInf);
  }
}

// Codes of all kinds, and in the first row the largest.
TestPlanes random_planes(std::size_t n_rows, std::size_t n_cols) {
  TestPlanes p(n_rows, n_cols);
  std::mt19937 rng(7);
  for (auto* plane : {&p.upper, &p.bits[0], &p.bits[1], &p.bits[2]}) {
    for (std::uint8_t& byte : *plane) byte = static_cast<std::uint8_t>(rng());
    std::fill(plane->begin(), plane->begin() + static_cast<std::ptrdiff_t>(plane->size() / n_rows), 0xFF);
  }
  return p;
}

// The largest of either sign, where a sum kept in few bits would overflow, then any.
std::vector<std::int8_t> digits_of_kind(std::size_t kind, std::size_t n, const TestPlanes& p) {
  std::vector<std::int8_t> digits(p.n_blocks * kScreenBlock);
  std::mt19937 rng(static_cast<unsigned>(kind));
  for (std::size_t i = 0; i < n; ++i) {
    const int any = static_cast<int>(rng() % 256) - 128;
    digits[i] = static_cast<std::int8_t>(kind == 0 ? 127 : kind == 1 ? -128 : any);
  }
  return digits;
}

constexpr std::array<std::size_t, 5> kColumns{1, 100, 256, 640, 6912};

TEST_P(Screen, ProductsAreExactWithAnyNumberOfDigits) {
  constexpr std::size_t kRows = 15;
  constexpr std::size_t kMostDigits = 9;
  for (const std::size_t n : kColumns) {
    const TestPlanes p = random_planes(kRows, n);
    std::vector<std::vector<std::int8_t>> digits;
    for (std::size_t d = 0; d < kMostDigits; ++d) digits.push_back(digits_of_kind(d, n, p));
    for (std::size_t n_digits = 0; n_digits <= kMostDigits; ++n_digits) {
      for (const std::size_t first : {std::size_t{0}, std::size_t{3}, std::size_t{14}}) {
        SCOPED_TRACE(std::to_string(n) + " columns, " + std::to_string(n_digits) + " digits, from " +
                     std::to_string(first));
        std::vector<std::vector<float>> sums(n_digits, std::vector<float>(kRows));
        std::vector<DigitProduct> products;
        for (std::size_t d = 0; d < n_digits; ++d) products.push_back({digits[d].data(), sums[d].data()});
        const auto expect_sums = [&](auto code) {
          for (std::size_t d = 0; d < n_digits; ++d) {
            for (std::size_t row = first; row < kRows; ++row) {
              std::int64_t exact = 0;
              for (std::size_t i = 0; i < n; ++i) exact += code(row, i) * std::int64_t{digits[d][i]};
              EXPECT_EQ(sums[d][row - first], static_cast<float>(exact)) << "digit " << d << " row " << row;
            }
          }
        };
        kernels().upper_products(p.planes.upper, first, kRows, products);
        expect_sums([&](std::size_t row, std::size_t i) { return p.u(row, i); });
        kernels().five_bit_products(p.planes, first, kRows, products);
        expect_sums([&](std::size_t row, std::size_t i) { return 2 * p.u(row, i) + p.b(0, row, i); });
        if (kernels().seven_bit_products == nullptr) continue;
        kernels().seven_bit_products(p.planes, first, kRows, products);
        expect_sums([&](std::size_t row, std::size_t i) {
          return 8 * p.u(row, i) + 4 * p.b(0, row, i) + 2 * p.b(1, row, i) + p.b(2, row, i);
        });
      }
    }
  }
}

TEST_P(Screen, ProductsOfABitAreOffByLittleOfTheirMagnitude) {
  constexpr std::size_t kRows = 15;
  const std::vector<std::uint32_t> listed{0, 10, 2, 3, 4, 5, 9, 14};
  for (const std::size_t n : kColumns) {
    const TestPlanes p = random_planes(kRows, n);
    for (std::size_t kind = 0; kind < 3; ++kind) {
      const auto high = digits_of_kind(kind, n, p);
      const auto low = digits_of_kind(kind == 2 ? 5 : kind, n, p);
      for (std::size_t bit = 0; bit < kBitPlanes; ++bit) {
        std::vector<float> sums(listed.size());
        kernels().bit_products(p.planes.bits[bit], listed.data(), listed.size(), {high.data(), low.data()},
                               sums.data());
        for (std::size_t k = 0; k < listed.size(); ++k) {
          std::int64_t exact = 0;
          std::int64_t magnitude = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const std::int64_t product = p.b(bit, listed[k], i) * (256 * std::int64_t{high[i]} + low[i]);
            exact += product;
            magnitude += std::abs(product);
          }
          EXPECT_NEAR(static_cast<double>(sums[k]), static_cast<double>(exact),
                      static_cast<double>(magnitude) * 0x1p-21)
              << "row " << listed[k] << " of " << n;
        }
      }
    }
  }
}

// Sums in two parts, the second of which may be left out, and in the places of what comes of them.
TEST_P(Screen, EstimatesAndBoundsComeFromBothDigits) {
  const Estimator with{.weight = 0.5F, .offset = 3, .error_weight = 2, .norm_weight = 0.25F, .tiny = 1e-30F};
  for (const std::size_t n : kOddLengths) {
    const auto high = random_floats(n, 1);
    const auto low = random_floats(n, 2, 100);
    const auto scale = random_floats(n, 3);
    const auto error = random_floats(n, 4);
    const auto norm = random_floats(n, 5);
    for (const bool has_low : {true, false}) {
      std::vector<float> estimate = high;
      std::vector<float> bound = low;
      Estimates to{estimate.data(), bound.data(), 0, 0};
      kernels().estimate_rows(with, {estimate.data(), has_low ? bound.data() : nullptr}, scale.data(),
                              error.data(), norm.data(), n, &to);
      double best = -1e30;
      double highest = -1e30;
      for (std::size_t i = 0; i < n; ++i) {
        const double sum = 256.0 * static_cast<double>(high[i]) + (has_low ? static_cast<double>(low[i]) : 0);
        const double wanted = static_cast<double>(scale[i]) * (0.5 * sum - 3);
        const double slack = 2 * static_cast<double>(error[i]) + 0.25 * static_cast<double>(norm[i]);
        EXPECT_NEAR(static_cast<double>(estimate[i]), wanted, 1e-3) << i << " of " << n;
        EXPECT_NEAR(static_cast<double>(bound[i]), wanted + slack, 1e-3) << i << " of " << n;
        best = std::max(best, static_cast<double>(estimate[i]));
        highest = std::max(highest, static_cast<double>(bound[i]));
      }
      EXPECT_EQ(static_cast<double>(to.best), best);
      EXPECT_EQ(static_cast<double>(to.highest), highest);
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
