#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/half.h"
#include "kernels/backends.h"
#include "quant/lanes.h"
#include "quant/tensor_type.h"

namespace bitnet::kernels {
namespace {

using quant::Codebook;
using quant::LaneCoding;
using quant::Matrix;
using quant::TensorType;

// Codes and scales of a matrix in lanes, placed by the words of quant/lanes.h alone.
struct LaneMatrix {
  template <typename Code, typename Scale>
  LaneMatrix(std::size_t rows, std::size_t cols, LaneCoding coding, Code code, Scale scale)
      : numerators(rows * cols), d(rows * cols) {
    w = {TensorType::lanes, rows, cols, nullptr, 0.75F, coding};
    bytes.resize(quant::lanes::n_bytes(w) + 64);
    const std::size_t shift = (64 - reinterpret_cast<std::uintptr_t>(bytes.data()) % 64) % 64;
    std::byte* const data = bytes.data() + shift;
    w.data = data;
    const std::size_t bits = quant::bits_of(coding.codebook);
    const std::size_t per_line = 32 / bits;
    const std::size_t n_blocks = (cols + coding.block - 1) / coding.block;
    const std::size_t scale_bytes = (n_blocks * 32 + 63) / 64 * 64;
    const std::size_t group_bytes = scale_bytes + cols / per_line * 64;
    for (std::size_t r = 0; r < rows; ++r) {
      std::byte* const group = data + r / 16 * group_bytes;
      for (std::size_t b = 0; b < n_blocks; ++b) {
        const std::uint16_t half = f32_to_f16(scale());
        std::memcpy(group + (b * 16 + r % 16) * 2, &half, 2);
        for (std::size_t i = b * coding.block; i < std::min(cols, (b + 1) * coding.block); ++i)
          d[r * cols + i] = f16_to_f32(half);
      }
      for (std::size_t i = 0; i < cols; ++i) {
        const unsigned c = code();
        numerators[r * cols + i] = quant::numerators_of(coding.codebook)[c];
        const std::size_t in_line = i % per_line;
        std::byte& byte = group[scale_bytes + i / per_line * 64 + r % 16 * 4 + in_line % 4];
        byte |= static_cast<std::byte>(c << (in_line / 4 * bits));
      }
    }
  }

  std::vector<std::byte> bytes;
  Matrix w;
  std::vector<int> numerators;
  std::vector<float> d;
};

LaneMatrix random_matrix(std::size_t rows, std::size_t cols, LaneCoding coding, unsigned seed) {
  std::mt19937 rng(seed);
  const unsigned n_codes = coding.codebook == Codebook::binary ? 2 : 4;
  return {rows, cols, coding, [&] { return static_cast<unsigned>(rng() % n_codes); },
          [&] { return static_cast<float>(1 + rng() % 31) / 1024.0F; }};
}

// Rounded rows, with tiles.
struct Rounded {
  Rounded(std::size_t n_tokens, std::size_t cols, std::size_t block_size)
      : n(n_tokens), stride((cols + 63) / 64 * 64), block(block_size) {
    q.resize(n * stride);
    tiles.resize(n / 8 * 8 * stride);
    unit.resize(n * stride / 32);
    minus_sum.resize(n * stride / 32);
  }
  void fill_tiles() {
    for (std::size_t t = 0; t < n / 8 * 8; ++t) {
      for (std::size_t i = 0; i < stride; ++i)
        tiles[t / 8 * 8 * stride + i / 4 * 32 + t % 8 * 4 + i % 4] = q[t * stride + i];
    }
  }
  void sum_up() {
    for (std::size_t i = 0; i < q.size(); ++i) minus_sum[i / 32] -= q[i];
  }
  QuantizedBlocks blocks() const {
    return {q.data(), tiles.empty() ? nullptr : tiles.data(), unit.data(), minus_sum.data(), stride, block};
  }

  std::size_t n;
  std::size_t stride;
  std::size_t block;
  std::vector<std::int8_t> q;
  std::vector<std::int8_t> tiles;
  std::vector<float> unit;
  std::vector<std::int32_t> minus_sum;
};

Rounded random_rows(std::size_t n, std::size_t cols, std::size_t block, unsigned seed) {
  std::mt19937 rng(seed);
  Rounded x(n, cols, block);
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t i = 0; i < cols; ++i)
      x.q[t * x.stride + i] = static_cast<std::int8_t>(static_cast<int>(rng() % 255) - 127);
  }
  for (float& u : x.unit) u = static_cast<float>(1 + rng() % 1000) / 4096.0F;
  x.sum_up();
  x.fill_tiles();
  return x;
}

// As kernels.h states it: one chain over the steps of the smaller block.
float product(const LaneMatrix& m, const Rounded& x, std::size_t row, std::size_t token) {
  const std::size_t cols = m.w.cols;
  const std::size_t step = std::min<std::size_t>({m.w.lanes.block, x.block, cols});
  float y = 0;
  for (std::size_t begin = 0; begin < cols; begin += step) {
    std::int32_t sum = 0;
    for (std::size_t i = begin; i < std::min(begin + step, cols); ++i)
      sum += m.numerators[row * cols + i] * x.q[token * x.stride + i];
    const float unit = x.unit[token * x.stride / 32 + begin / x.block];
    y = std::fma(static_cast<float>(sum), m.d[row * cols + begin] * unit, y);
  }
  return y * m.w.scale;
}

const std::vector<Codebook> kCodebooks{Codebook::ternary, Codebook::binary, Codebook::four_level,
                                       Codebook::thirds};

class LaneProducts : public EveryBackend {};

TEST_P(LaneProducts, AreOneChainOfExactSumsTimesBothScales) {
  for (const Codebook codebook : kCodebooks) {
    for (const std::size_t rows : {1U, 35U, 48U}) {
      for (const std::size_t cols : {32U, 160U, 640U}) {
        for (const std::uint32_t block : {32U, 128U, 4096U}) {
          const LaneMatrix m = random_matrix(rows, cols, {codebook, block}, 3);
          for (const std::size_t x_block : {32U, 128U, 1U << 20}) {
            for (const std::size_t n : {1U, 6U, 21U}) {
              const Rounded x = random_rows(n, cols, x_block, 4);
              std::vector<float> y(n * rows + 1, 7.0F);
              kernels().matmul_lanes(m.w, 0, rows, x.blocks(), n, {y.data(), rows});
              EXPECT_EQ(y.back(), 7.0F);
              for (std::size_t t = 0; t < n; ++t) {
                for (std::size_t r = 0; r < rows; ++r)
                  ASSERT_EQ(y[t * rows + r], product(m, x, r, t))
                      << rows << "x" << cols << " block " << block << " of " << x_block << ", token " << t
                      << " of " << n << ", row " << r;
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(LaneProducts, OfManyTokensAreThoseOfEachAlone) {
  const std::size_t rows = 64;
  const std::size_t cols = 1664;  // more than a panel
  const std::size_t n = 150;      // more than a block of tokens
  for (const Codebook codebook : kCodebooks) {
    const LaneMatrix m = random_matrix(rows, cols, {codebook, 128}, 5);
    for (const std::size_t x_block : {32U, 128U, 1U << 20}) {
      const Rounded x = random_rows(n, cols, x_block, 6);
      std::vector<float> y(n * rows);
      kernels().matmul_lanes(m.w, 0, rows, x.blocks(), n, {y.data(), rows});
      std::vector<float> alone(rows);
      for (std::size_t t = 0; t < n; ++t) {
        QuantizedBlocks one = x.blocks();
        one.q += t * x.stride;
        one.unit += t * one.parts();
        one.minus_sum += t * one.parts();
        one.tiles = nullptr;
        scalar().matmul_lanes(m.w, 0, rows, one, 1, {alone.data(), rows});
        for (std::size_t r = 0; r < rows; ++r) ASSERT_EQ(y[t * rows + r], alone[r]) << t << " " << r;
      }
    }
  }
}

// Both scales are multiplied first, as those of I2_S are.
TEST_P(LaneProducts, UnderOneScaleAreThoseOfTernaryMatrices) {
  const std::size_t rows = 35;
  for (const std::size_t cols : {160U, 1664U}) {
    for (const Codebook codebook : {Codebook::ternary, Codebook::binary}) {
      const unsigned n_codes = codebook == Codebook::binary ? 2 : 3;
      std::mt19937 rng(9);
      LaneMatrix m(
          rows, cols, {codebook, 2048, true}, [&] { return static_cast<unsigned>(rng() % n_codes); },
          [] { return 1.0F; });
      m.w.scale = 0.066F;
      for (const std::size_t n : {1U, 6U, 21U, 150U}) {
        const Rounded x = random_rows(n, cols, 1U << 20, 10);
        std::vector<float> scale(n);
        for (float& s : scale) s = 3.0F + static_cast<float>(rng() % 1000) / 7.0F;
        QuantizedBlocks blocks = x.blocks();
        blocks.scale = scale.data();
        std::vector<float> y(n * rows);
        kernels().matmul_lanes(m.w, 0, rows, blocks, n, {y.data(), rows});
        for (std::size_t t = 0; t < n; ++t) {
          for (std::size_t r = 0; r < rows; ++r) {
            std::int32_t sum = 0;
            for (std::size_t i = 0; i < cols; ++i) sum += m.numerators[r * cols + i] * x.q[t * x.stride + i];
            ASSERT_EQ(y[t * rows + r], static_cast<float>(sum) * (m.w.scale / scale[t]))
                << cols << " columns, token " << t << " of " << n << ", row " << r;
          }
        }
      }
    }
  }
}

TEST_P(LaneProducts, TakeAnyStretchOfGroups) {
  const std::size_t rows = 100;
  const LaneMatrix m = random_matrix(rows, 256, {Codebook::ternary, 64}, 7);
  const Rounded x = random_rows(9, 256, 32, 8);
  std::vector<float> whole(9 * rows);
  kernels().matmul_lanes(m.w, 0, rows, x.blocks(), 9, {whole.data(), rows});
  std::vector<float> parts(9 * rows);
  std::size_t begin = 0;
  for (const std::size_t end : {std::size_t{32}, std::size_t{80}, std::size_t{96}, rows}) {
    kernels().matmul_lanes(m.w, begin, end, x.blocks(), 9, {parts.data(), rows});
    begin = end;
  }
  EXPECT_EQ(parts, whole);
}

// The longest sums: every code the largest or the smallest, every activation +-127, one block of a whole row.
TEST_P(LaneProducts, DoNotOverflowAtTheWorst) {
  const std::size_t cols = std::size_t{1} << 18;  // as wide as a model may be
  for (const Codebook codebook : kCodebooks) {
    const unsigned largest = codebook == Codebook::binary ? 1 : 3;
    for (const unsigned code : {0U, largest}) {
      const LaneMatrix m(
          16, cols, {codebook, 1U << 20}, [&] { return code; }, [] { return 1.0F; });
      for (const int q : {-127, 127}) {
        Rounded x(8, cols, 1U << 20);
        for (std::int8_t& v : x.q) v = static_cast<std::int8_t>(q);
        for (float& u : x.unit) u = 1.0F;
        x.sum_up();
        x.fill_tiles();
        std::vector<float> y(8 * 16);
        kernels().matmul_lanes(m.w, 0, 16, x.blocks(), 8, {y.data(), 16});
        const int numerator = quant::numerators_of(codebook)[code];
        const auto sum =
            static_cast<float>(static_cast<std::int64_t>(numerator) * q * static_cast<std::int64_t>(cols));
        for (const float v : y) ASSERT_EQ(v, sum * 0.75F);
      }
    }
  }
}

TEST_P(LaneProducts, WithFloatsHaveTheBitsOfTheDecodedRows) {
  for (const Codebook codebook : kCodebooks) {
    for (const std::size_t rows : {1U, 16U, 35U}) {
      for (const std::size_t cols : {32U, 288U, 1152U}) {
        const LaneMatrix m = random_matrix(rows, cols, {codebook, 64}, 9);
        std::vector<float> decoded(rows * cols);
        for (std::size_t i = 0; i < decoded.size(); ++i)
          decoded[i] = static_cast<float>(m.numerators[i]) * m.d[i];
        const Matrix floats{TensorType::f32, rows, cols, reinterpret_cast<const std::byte*>(decoded.data()),
                            m.w.scale};
        for (const std::size_t n : {1U, 8U, 11U}) {
          const std::vector<float> x = random_floats(n * cols, 10);
          std::vector<float> y(n * rows);
          kernels().matmul_lanes_f32(m.w, 0, rows, {x.data(), cols}, n, {y.data(), rows});
          std::vector<float> want(n * rows);
          scalar().matmul_float(floats, 0, rows, {x.data(), cols}, n, {want.data(), rows});
          ASSERT_EQ(y, want) << rows << "x" << cols << ", " << n << " tokens";
        }
      }
    }
  }
}

BITNET_FOR_EVERY_BACKEND(LaneProducts);

class BlockRounding : public EveryBackend {
 protected:
  struct Result {
    std::vector<std::int8_t> q;
    std::vector<float> unit;
    std::vector<std::int32_t> minus_sums;
    float scale = 0;
    std::int32_t sum = 0;
  };
  static Result round(const Kernels& k, const std::vector<float>& x, std::size_t block) {
    const std::size_t padded = (x.size() + 63) / 64 * 64;
    Result r{std::vector<std::int8_t>(padded, 99), std::vector<float>(padded / 32),
             std::vector<std::int32_t>(padded / 32)};
    k.quantize_blocks(x.data(), x.size(), block, padded,
                      {r.q.data(), r.unit.data(), r.minus_sums.data(), &r.scale, &r.sum});
    return r;
  }
};

TEST_P(BlockRounding, IsOfEachBlockByItself) {
  for (const std::size_t n : {32U, 96U, 320U}) {
    for (const std::size_t block : {32U, 128U}) {
      const std::vector<float> x = random_floats(n, 11, 3.0F);
      const Result r = round(kernels(), x, block);
      for (std::size_t begin = 0; begin < n; begin += block) {
        float widest = 0;
        for (std::size_t i = begin; i < std::min(n, begin + block); ++i)
          widest = std::max(widest, std::fabs(x[i]));
        const float scale = 127.0F / widest;
        EXPECT_EQ(r.unit[begin / block], 1.0F / scale);
        for (std::size_t i = begin; i < std::min(n, begin + block); ++i)
          ASSERT_EQ(r.q[i], std::lrint(x[i] * scale)) << i;
      }
      for (std::size_t i = n; i < r.q.size(); ++i) EXPECT_EQ(r.q[i], 0);
      for (std::size_t part = 0; part < r.minus_sums.size(); ++part) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < 32; ++i) sum -= r.q[part * 32 + i];
        EXPECT_EQ(r.minus_sums[part], sum);
      }
    }
  }
}

TEST_P(BlockRounding, OfAWholeRowIsThatOfARow) {
  const std::vector<float> x = random_floats(352, 12);
  const Result r = round(kernels(), x, 1U << 20);
  std::vector<std::int8_t> q(384);
  float scale = 0;
  std::int32_t sum = 0;
  kernels().quantize(x.data(), x.size(), q.size(), q.data(), &scale, &sum);
  EXPECT_EQ(r.q, q);
  EXPECT_EQ(r.scale, scale);
  EXPECT_EQ(r.sum, sum);
  EXPECT_EQ(r.unit[0], 1.0F / scale);
}

TEST_P(BlockRounding, OfNothingIsFiniteAndOfNoNumberIsNone) {
  std::vector<float> x(96, 0.0F);
  x[40] = std::numeric_limits<float>::infinity();
  x[70] = std::numeric_limits<float>::quiet_NaN();
  const Result r = round(kernels(), x, 32);
  EXPECT_TRUE(std::isfinite(r.unit[0]));
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(r.q[i], 0);
  EXPECT_TRUE(std::isnan(r.unit[1]));
  EXPECT_TRUE(std::isnan(r.unit[2]));
}

BITNET_FOR_EVERY_BACKEND(BlockRounding);

}  // namespace
}  // namespace bitnet::kernels
