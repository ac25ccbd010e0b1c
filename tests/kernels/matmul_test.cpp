#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/backends.h"
#include "kernels/ternary_inputs.h"
#include "quant/tensor_type.h"
#include "support/text_holds.h"

namespace bitnet::kernels {
namespace {

using test::has;

using quant::Matrix;
using quant::TensorType;

TestMatrix random_float(TensorType type, std::size_t rows, std::size_t cols, unsigned seed) {
  const auto values = random_floats(rows * cols, seed);
  TestMatrix m;
  const std::size_t size = type == TensorType::f32 ? 4 : 2;
  m.bytes.resize(values.size() * size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(values[i]);
    const auto half =
        type == TensorType::f16 ? f32_to_f16(values[i]) : static_cast<std::uint16_t>(bits >> 16);
    if (type == TensorType::f32) {
      std::memcpy(&m.bytes[i * 4], &bits, 4);
    } else {
      std::memcpy(&m.bytes[i * 2], &half, 2);
    }
  }
  m.w = {type, rows, cols, m.bytes.data(), 0.75F};
  return m;
}

// [n_tokens, rows], computed on rows [begin, end) only; other entries keep their mark.
std::vector<float> multiply(const Kernels& k, const TestMatrix& m, const Quantized& x, std::size_t n_tokens,
                            std::size_t begin, std::size_t end) {
  std::vector<float> y(n_tokens * m.w.rows, kMark);
  k.matmul_ternary(m.w, begin, end, x.rows(), n_tokens, {y.data(), m.w.rows});
  return y;
}

class Matmul : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(Matmul);

TEST_P(Matmul, TernaryProductsAreExactForEveryShapeAndPartOfTheRows) {
  std::mt19937 rng(4);
  for (const std::size_t cols : {128U, 256U, 384U, 640U, 1152U, 2560U}) {
    for (const std::size_t rows : {1U, 3U, 5U, 18U}) {
      for (const std::size_t n_tokens : {1U, 2U, 3U, 7U, 17U}) {
        const TestMatrix m = random_ternary(rows, cols, static_cast<unsigned>(rows * cols));
        const Quantized x = quantized(
            n_tokens, cols, [&](std::size_t, std::size_t) { return static_cast<int>(rng() % 256) - 128; });
        const std::size_t begin = rows / 3;
        const auto y = multiply(kernels(), m, x, n_tokens, begin, rows);
        for (std::size_t r = 0; r < rows; ++r) {
          const auto weights = m.row(r);
          for (std::size_t t = 0; t < n_tokens; ++t) {
            double want = 0;
            for (std::size_t i = 0; i < cols; ++i)
              want += static_cast<double>(weights[i]) * x.q[t * x.stride + i];
            const auto expected = r < begin ? kMark : static_cast<float>(want / x.scale[t]);
            ASSERT_NEAR(y[t * rows + r], expected, std::fabs(expected) * 2e-7)
                << cols << " cols, row " << r << ", token " << t;
          }
        }
      }
    }
  }
}

// Each number of tokens has tiles of its own, each range of rows its own remainders: of tiles, of streams, of
// panels and of what is kept in a cache for the next tokens.
TEST_P(Matmul, TernaryProductsOfAnyNumberOfTokensHaveTheScalarBackendsBitsForEveryStretchOfRows) {
  // All up to the first that are in several tiles, then those that reach panels and blocks of tokens.
  std::vector<std::size_t> counts{24, 33, 64, 71, 100};
  for (std::size_t n = 1; n <= 20; ++n) counts.push_back(n);
  constexpr std::size_t kMostTokens = 270;
  constexpr std::size_t kRows = 67;
  std::mt19937 rng(12);
  for (const std::size_t cols : {2560U, 6912U, 128U, 384U}) {
    const TestMatrix m = random_ternary(kRows, cols, static_cast<unsigned>(cols));
    const Quantized x = quantized(
        kMostTokens, cols, [&](std::size_t, std::size_t) { return static_cast<int>(rng() % 256) - 128; });
    const std::size_t n_tokens = cols <= 384 ? kMostTokens : 100;
    const auto want = multiply(scalar(), m, x, n_tokens, 0, kRows);
    if (cols == 384) counts.push_back(kMostTokens);
    for (const std::size_t n : counts) {
      for (const auto& [begin, end] : {std::pair{0U, 67U}, {0U, 48U}, {1U, 2U}, {3U, 12U}, {17U, 66U}}) {
        const auto y = multiply(kernels(), m, x, n, begin, end);
        for (std::size_t t = 0; t < n; ++t) {
          for (std::size_t r = 0; r < kRows; ++r) {
            const bool is_asked_for = r >= begin && r < end;
            ASSERT_EQ(y[t * kRows + r], is_asked_for ? want[t * kRows + r] : kMark)
                << cols << " cols, rows " << begin << " to " << end << ", row " << r << ", token " << t
                << " of " << n;
          }
        }
      }
    }
  }
}

// Sums of 16-bit pairs would wrap or saturate here: every product as large as it can be, in the longest row
// there is, and in enough rows and tokens for every kind of tile.
TEST_P(Matmul, TernarySumsDoNotOverflowAtTheWorst) {
  struct Case {
    std::size_t rows, cols, n_tokens;
  };
  for (const auto& [rows, cols, n_tokens] :
       {Case{2, 1U << 16, 3}, {17, 1U << 13, 1}, {17, 1U << 13, 8}, {50, 1U << 13, 70}}) {
    for (const unsigned code : {0U, 2U}) {
      const TestMatrix m = ternary(rows, cols, 1.0F, [&] { return code; });
      for (const int activation : {-128, -127, 127}) {
        Quantized x = quantized(n_tokens, cols, [&](std::size_t, std::size_t) { return activation; });
        x.scale.assign(n_tokens, 1.0F);
        const auto y = multiply(kernels(), m, x, n_tokens, 0, rows);
        const float want = static_cast<float>(static_cast<int>(code) - 1) * static_cast<float>(activation) *
                           static_cast<float>(cols);
        for (const float v : y) ASSERT_EQ(v, want) << "code " << code << ", activation " << activation;
      }
    }
  }
}

TEST_P(Matmul, EachTokensOwnActivationScaleAndTheTensorsScaleCount) {
  TestMatrix m = random_ternary(2, 128, 1);
  const Quantized x = quantized(2, 128, [](std::size_t, std::size_t i) { return static_cast<int>(i) - 64; });
  const auto y = multiply(kernels(), m, x, 2, 0, 2);
  EXPECT_NEAR(y[0], 3.0F * y[2], 1e-6F * std::fabs(y[0]));  // the scales are 0.5 and 1.5
  m.w.scale *= 4.0F;
  const auto scaled = multiply(kernels(), m, x, 2, 0, 2);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(scaled[i], 4.0F * y[i]);
}

TEST_P(Matmul, FloatProductsAgreeWithTheDefinition) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
    for (const std::size_t cols : kOddLengths) {
      const std::size_t rows = 6;
      const TestMatrix m = random_float(type, rows, cols, static_cast<unsigned>(cols));
      const std::size_t stride = cols + 5;
      const auto x = random_floats(3 * stride, 8);
      std::vector<float> y(3 * rows, kMark);
      kernels().matmul_float(m.w, 1, rows, {x.data(), stride}, 3, {y.data(), rows});
      for (std::size_t t = 0; t < 3; ++t) {
        EXPECT_EQ(y[t * rows], kMark);
        for (std::size_t r = 1; r < rows; ++r) {
          const auto weights = m.row(r);
          double want = 0;
          double magnitude = 0;
          for (std::size_t i = 0; i < cols; ++i) {
            const double product = static_cast<double>(weights[i]) * x[t * stride + i];
            want += product;
            magnitude += std::fabs(product);
          }
          ASSERT_NEAR(y[t * rows + r], want, 1e-6 * magnitude) << quant::info(type).name << " " << cols;
        }
      }
    }
  }
}

// Bit for bit: what the product of the first n tokens is, the scalar backend gives for each alone.
void expect_those_of_each(const Kernels& kernels, decltype(&Kernels::matmul_float) product,
                          const TestMatrix& m, const std::vector<std::size_t>& tokens) {
  const std::size_t rows = m.w.rows;
  const std::size_t stride = m.w.cols + 3;
  const std::size_t most = tokens.back();
  const auto x = random_floats(most * stride, 8);
  std::vector<float> apart(most * rows);
  for (std::size_t t = 0; t < most; ++t)
    (find("scalar").*product)(m.w, 0, rows, {&x[t * stride], stride}, 1, {&apart[t * rows], rows});
  for (const std::size_t n : tokens) {
    for (const std::size_t begin : {std::size_t{0}, rows / 2}) {
      std::vector<float> y(most * rows, kMark);
      (kernels.*product)(m.w, begin, rows, {x.data(), stride}, n, {y.data(), rows});
      for (std::size_t i = 0; i < y.size(); ++i) {
        const bool is_computed = i < n * rows && i % rows >= begin;
        ASSERT_EQ(y[i], is_computed ? apart[i] : kMark) << quant::info(m.w.type).name << ", " << rows << " x "
                                                        << m.w.cols << ", " << n << " tokens, " << i;
      }
    }
  }
}

// For rows and tokens of every number that tiles leave over.
TEST_P(Matmul, FloatProductsOfSeveralTokensAreThoseOfEach) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
    for (const std::size_t cols : {5U, 48U, 100U}) {
      for (const std::size_t rows : {1U, 3U, 4U, 11U}) {
        expect_those_of_each(kernels(), &Kernels::matmul_float,
                             random_float(type, rows, cols, static_cast<unsigned>(cols)),
                             {1, 2, 3, 4, 5, 6, 7, 8, 9});
      }
    }
  }
}

// So many that weights are decoded to panels: for what these leave over of rows, columns and tokens.
TEST_P(Matmul, FloatProductsOfManyTokensAreThoseOfEach) {
  const std::vector<std::size_t> tokens{31, 32, 33, 34, 35, 36, 37, 48, 49, 103};
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
    for (const std::size_t cols : {5U, 300U}) {
      for (const std::size_t rows : {1U, 16U, 35U}) {
        expect_those_of_each(kernels(), &Kernels::matmul_float,
                             random_float(type, rows, cols, static_cast<unsigned>(cols)), tokens);
      }
    }
  }
}

TEST_P(Matmul, TernaryProductsOfManyUnquantizedTokensAreThoseOfEach) {
  for (const std::size_t cols : {128U, 384U}) {
    for (const std::size_t rows : {1U, 18U}) {
      expect_those_of_each(kernels(), &Kernels::matmul_ternary_f32,
                           random_ternary(rows, cols, static_cast<unsigned>(cols)), {5, 6, 7, 11, 12, 97});
    }
  }
}

TEST_P(Matmul, WeightsMayLieAtAnyMultipleOf32) {
  for (const std::size_t cols : {128U, 256U, 384U, 640U, 2560U}) {
    const TestMatrix m = random_ternary(9, cols, static_cast<unsigned>(cols));
    alignas(64) static std::byte memory[9 * 2560 / 4 + 128];
    const auto x = random_floats(cols, 4);
    std::vector<std::int8_t> q(cols);
    float scale = 0;
    std::int32_t sum = 0;
    scalar().quantize(x.data(), cols, cols, q.data(), &scale, &sum);
    const QuantizedRows rows{q.data(), &scale, &sum, cols};
    std::vector<float> want(9);
    scalar().matmul_ternary(m.w, 0, 9, rows, 1, {want.data(), 9});
    for (const std::size_t offset : {0U, 32U, 64U, 96U}) {
      std::memcpy(memory + offset, m.bytes.data(), m.bytes.size());
      Matrix moved = m.w;
      moved.data = memory + offset;
      std::vector<float> y(9, kMark);
      kernels().matmul_ternary(moved, 0, 9, rows, 1, {y.data(), 9});
      EXPECT_EQ(y, want) << cols << " " << offset;
    }
  }
}

TEST_P(Matmul, DecodedTernaryValuesAreTheFormatsWithoutTheScale) {
  const TestMatrix m = random_ternary(3, 640, 6);
  for (const std::size_t begin : {std::size_t{0}, std::size_t{128}, std::size_t{512}}) {
    std::vector<float> out(640 - begin + 1, kMark);
    kernels().decode_ternary(m.w, 2, begin, 640, out.data());
    const auto want = m.row(2);
    for (std::size_t i = begin; i < 640; ++i) ASSERT_EQ(out[i - begin] * m.w.scale, want[i]) << i;
    EXPECT_EQ(out.back(), kMark);
  }
}

TEST_P(Matmul, TernaryProductsWithUnquantizedActivationsAgreeWithTheDefinition) {
  for (const std::size_t cols : {128U, 1024U, 1152U, 6912U}) {
    const TestMatrix m = random_ternary(4, cols, static_cast<unsigned>(cols));
    const auto x = random_floats(6 * cols, 3);
    std::vector<float> y(6 * 4, kMark);
    kernels().matmul_ternary_f32(m.w, 1, 4, {x.data(), cols}, 6, {y.data(), 4});
    std::vector<float> scalars(y.size(), kMark);
    scalar().matmul_ternary_f32(m.w, 1, 4, {x.data(), cols}, 6, {scalars.data(), 4});
    EXPECT_EQ(y, scalars);
    for (std::size_t t = 0; t < 6; ++t) {
      EXPECT_EQ(y[t * 4], kMark);
      for (std::size_t r = 1; r < 4; ++r) {
        const auto weights = m.row(r);
        double want = 0;
        for (std::size_t i = 0; i < cols; ++i) want += static_cast<double>(weights[i]) * x[t * cols + i];
        ASSERT_NEAR(y[t * 4 + r], want, 1e-5 * std::sqrt(static_cast<double>(cols)));
      }
    }
  }
}

// The contract's order of sums, spelled out: lane i mod 16, ascending i, fused; folds of 8, 4, 2, 1.
TEST_P(Matmul, FloatSumsFollowTheCanonicalOrder) {
  for (const std::size_t n : kOddLengths) {
    const TestMatrix m = random_float(TensorType::f32, 1, n, static_cast<unsigned>(n));
    const auto x = random_floats(n, 99);
    float lane[16] = {};
    std::vector<float> w(n);
    std::memcpy(w.data(), m.bytes.data(), n * sizeof(float));
    for (std::size_t i = 0; i < n; ++i) lane[i % 16] = std::fma(w[i], x[i], lane[i % 16]);
    for (const std::size_t half : {8U, 4U, 2U, 1U}) {
      for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
    }
    float y = 0;
    kernels().matmul_float(m.w, 0, 1, {x.data(), n}, 1, {&y, 1});
    EXPECT_EQ(y, lane[0] * m.w.scale) << n;
  }
}

TEST_P(Matmul, GivesTheScalarBackendsBits) {
  for (const std::size_t cols : {17U, 128U, 300U}) {
    for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
      const TestMatrix m = random_float(type, 7, cols, 1);
      const auto x = random_floats(5 * cols, 2);
      std::vector<float> ours(5 * 7);
      std::vector<float> want(5 * 7);
      kernels().matmul_float(m.w, 0, 7, {x.data(), cols}, 5, {ours.data(), 7});
      scalar().matmul_float(m.w, 0, 7, {x.data(), cols}, 5, {want.data(), 7});
      EXPECT_EQ(std::memcmp(ours.data(), want.data(), want.size() * sizeof(float)), 0);
    }
  }
  std::mt19937 rng(11);
  for (const std::size_t cols : {128U, 384U, 896U, 6912U}) {
    const TestMatrix m = random_ternary(9, cols, 5);
    const Quantized x =
        quantized(9, cols, [&](std::size_t, std::size_t) { return static_cast<int>(rng() % 255) - 127; });
    const auto ours = multiply(kernels(), m, x, 9, 0, 9);
    const auto want = multiply(scalar(), m, x, 9, 0, 9);
    EXPECT_EQ(std::memcmp(ours.data(), want.data(), want.size() * sizeof(float)), 0);
  }
}

TEST(Backends, AnUnknownNameIsRefusedWithTheChoices) {
  EXPECT_EQ(find("scalar").name, "scalar");
  EXPECT_EQ(&find("auto"), available().back());
  try {
    find("neon2");
    FAIL() << "accepted";
  } catch (const std::exception& e) {
    EXPECT_TRUE(has(e.what(), "scalar"));
  }
}

}  // namespace
}  // namespace bitnet::kernels
