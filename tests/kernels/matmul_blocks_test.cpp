// Products with weights in blocks, of every type that is not ternary.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/backends.h"
#include "quant/tensor_type.h"
#include "support/block_types.h"

namespace bitnet::kernels {
namespace {

struct BlockMatrix {
  BlockMatrix(std::uint32_t id, std::size_t rows, std::size_t n_blocks, float scale, unsigned seed) {
    const quant::TypeInfo& type = test::block_type(id);
    const std::size_t cols = n_blocks * type.block;
    packed = test::random_blocks(id, rows * cols, seed);
    w = {type.type, rows, cols, packed.bytes.data(), scale};
  }
  float value(std::size_t row, std::size_t i) const { return packed.values[row * w.cols + i]; }

  test::PackedBlocks packed;
  quant::Matrix w;
};

constexpr float kUntouched = -12345.0F;

// The contract's order of sums, spelled out.
float canonical_product(const BlockMatrix& m, std::size_t row, const float* x) {
  float lane[16] = {};
  for (std::size_t i = 0; i < m.w.cols; ++i) lane[i % 16] = std::fma(m.value(row, i), x[i], lane[i % 16]);
  for (const std::size_t half : {8U, 4U, 2U, 1U}) {
    for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  }
  return lane[0] * m.w.scale;
}

class MatmulBlocks : public ::testing::TestWithParam<std::tuple<std::string, std::uint32_t>> {
 protected:
  const Kernels& kernels() const { return find(std::get<0>(GetParam())); }
  std::uint32_t type() const { return std::get<1>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Backends, MatmulBlocks,
                         ::testing::Combine(::testing::ValuesIn(backend_list()),
                                            ::testing::Values(test::kQ8_0, test::kQ6_K, test::kQ4_0,
                                                              test::kQ5_K, test::kQ4_K, test::kQ3_K,
                                                              test::kQ2_K, test::kQ5_1, test::kQ5_0,
                                                              test::kQ4_1, test::kIQ4_NL)),
                         [](const auto& i) {
                           return std::get<0>(i.param) + "_" +
                                  std::string(test::block_type(std::get<1>(i.param)).name);
                         });

// Every element by itself: the product with a vector that is 1 there and 0 elsewhere.
TEST_P(MatmulBlocks, EachElementIsTheValueThatTheFormatSays) {
  const BlockMatrix m(type(), 2, 5, 1.0F, 3);
  const std::size_t cols = m.w.cols;
  std::vector<float> units(cols * cols);
  for (std::size_t i = 0; i < cols; ++i) units[i * cols + i] = 1.0F;
  std::vector<float> together(cols * 2);
  kernels().matmul_float(m.w, 0, 2, {units.data(), cols}, cols, {together.data(), 2});
  for (std::size_t i = 0; i < cols; ++i) {
    std::vector<float> alone(2);
    kernels().matmul_float(m.w, 0, 2, {&units[i * cols], cols}, 1, {alone.data(), 2});
    for (std::size_t r = 0; r < 2; ++r) {
      ASSERT_EQ(alone[r], m.value(r, i)) << r << "," << i;
      ASSERT_EQ(together[i * 2 + r], m.value(r, i)) << r << "," << i;
    }
  }
}

// Products of any number of tokens with rows [begin, rows), and nothing else written.
void expect_canonical(const Kernels& kernels, const BlockMatrix& m,
                      std::initializer_list<std::size_t> tokens) {
  const std::size_t rows = m.w.rows;
  const std::size_t stride = m.w.cols + 5;
  const auto x = random_floats(std::max(tokens) * stride, 8);
  std::vector<float> wanted(std::max(tokens) * rows);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wanted[i] = canonical_product(m, i % rows, &x[i / rows * stride]);
  for (const std::size_t n_tokens : tokens) {
    for (const std::size_t begin : {std::size_t{0}, rows / 2}) {
      std::vector<float> y(n_tokens * rows, kUntouched);
      kernels.matmul_float(m.w, begin, rows, {x.data(), stride}, n_tokens, {y.data(), rows});
      for (std::size_t i = 0; i < y.size(); ++i) {
        const float want = i % rows < begin ? kUntouched : wanted[i];
        ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::bit_cast<std::uint32_t>(want))
            << m.w.cols << " columns, row " << i % rows << " of " << rows << ", token " << i / rows << " of "
            << n_tokens;
      }
    }
  }
}

// Bit for bit, and so the same for all backends; for rows and tokens of every number that tiles leave over.
TEST_P(MatmulBlocks, SumsFollowTheCanonicalOrder) {
  for (const std::size_t n_blocks : {1U, 2U, 3U, 8U, 37U}) {
    for (const std::size_t rows : {1U, 2U, 5U, 11U}) {
      const BlockMatrix m(type(), rows, n_blocks, 0.75F, static_cast<unsigned>(rows + n_blocks));
      expect_canonical(kernels(), m, {1, 2, 3, 4, 7, 9});
    }
  }
}

// So many that weights are decoded to panels.
TEST_P(MatmulBlocks, SumsOfManyTokensFollowTheCanonicalOrder) {
  for (const std::size_t rows : {3U, 17U})
    expect_canonical(kernels(), {type(), rows, 9, 0.75F, static_cast<unsigned>(rows)}, {31, 32, 35, 98});
}

TEST_P(MatmulBlocks, AgreeWithASumInDoublePrecision) {
  const std::size_t rows = 7;
  const BlockMatrix m(type(), rows, 40, 0.5F, 5);
  const auto x = random_floats(m.w.cols, 6);
  std::vector<float> y(rows);
  kernels().matmul_float(m.w, 0, rows, {x.data(), m.w.cols}, 1, {y.data(), rows});
  for (std::size_t r = 0; r < rows; ++r) {
    double want = 0;
    double magnitude = 0;
    for (std::size_t i = 0; i < m.w.cols; ++i) {
      const double product = 0.5 * static_cast<double>(m.value(r, i)) * static_cast<double>(x[i]);
      want += product;
      magnitude += std::fabs(product);
    }
    EXPECT_NEAR(y[r], want, 1e-6 * magnitude) << r;
  }
}

}  // namespace
}  // namespace bitnet::kernels
