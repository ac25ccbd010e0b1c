// Rows in planes of few bits, and the bounds of what that loses.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
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

// With the largest codes and digits too, where a sum kept in few bits would overflow.
TEST_P(Screen, ProductsAreOffByLittleOfTheirMagnitude) {
  for (const std::size_t n :
       {std::size_t{1}, std::size_t{100}, std::size_t{256}, std::size_t{640}, std::size_t{6912}}) {
    constexpr std::size_t kRows = 15;
    TestPlanes p(kRows, n);
    std::mt19937 rng(7);
    for (auto* plane : {&p.upper, &p.bits[0], &p.bits[1], &p.bits[2]}) {
      for (std::uint8_t& byte : *plane) byte = static_cast<std::uint8_t>(rng());
      std::fill(plane->begin(), plane->begin() + static_cast<std::ptrdiff_t>(plane->size() / kRows), 0xFF);
    }
    for (const int worst : {0, 1, -1}) {
      std::vector<std::int8_t> high(p.n_blocks * kScreenBlock);
      std::vector<std::int8_t> low(high.size());
      for (std::size_t i = 0; i < n; ++i) {
        high[i] = static_cast<std::int8_t>(worst == 0 ? static_cast<int>(rng() % 255) - 127 : 127 * worst);
        low[i] = static_cast<std::int8_t>(worst == 0 ? static_cast<int>(rng() % 256) - 128
                                                     : (worst > 0 ? 127 : -128));
      }
      const Digits digits{high.data(), low.data()};
      const auto expect_sum = [&](float sum, std::size_t row, auto part) {
        std::int64_t exact = 0;
        std::int64_t magnitude = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const std::int64_t product = part(row, i) * (256 * std::int64_t{high[i]} + low[i]);
          exact += product;
          magnitude += std::abs(product);
        }
        EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(exact),
                    static_cast<double>(magnitude) * 0x1p-21)
            << "row " << row << " of " << n;
      };
      std::vector<float> sums(kRows);
      for (const std::size_t first : {std::size_t{0}, std::size_t{3}}) {
        kernels().upper_products(p.planes.upper, first, kRows, digits, sums.data());
        for (std::size_t row = first; row < kRows; ++row)
          expect_sum(sums[row - first], row, [&](auto r, auto i) { return p.u(r, i); });
        kernels().five_bit_products(p.planes, first, kRows, digits, sums.data());
        for (std::size_t row = first; row < kRows; ++row)
          expect_sum(sums[row - first], row, [&](auto r, auto i) { return 2 * p.u(r, i) + p.b(0, r, i); });
      }
      const std::vector<std::uint32_t> listed{0, 10, 2, 3, 4, 5, 9, 14};
      for (std::size_t bit = 0; bit < kBitPlanes; ++bit) {
        kernels().bit_products(p.planes.bits[bit], listed.data(), listed.size(), digits, sums.data());
        for (std::size_t k = 0; k < listed.size(); ++k)
          expect_sum(sums[k], listed[k], [&](auto r, auto i) { return p.b(bit, r, i); });
      }
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
