// Products of codes in lanes with unquantized activations, written once over the 16-lane float V of a
// backend: here a lane is a row, so the sixteen lanes of a row's sum are sixteen vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "kernels/kernels.h"
#include "quant/lanes.h"

namespace bitnet::kernels::generic {

// numerator = factor * code + upper * (code >> 1) + offset, for every codebook.
struct NumeratorOfCode {
  std::int32_t factor;
  std::int32_t upper;
  std::int32_t offset;
};

constexpr NumeratorOfCode numerator_of_code(quant::Codebook codebook) {
  switch (codebook) {
    case quant::Codebook::ternary:
      return {1, 0, -1};
    case quant::Codebook::binary:
      return {2, 0, -1};
    case quant::Codebook::four_level:
      return {1, 1, -2};
    case quant::Codebook::thirds:
      return {2, 0, -3};
  }
  return {};
}

// The values of a line's columns as [column][row], with their scales d, [row].
template <typename V>
void decode_line(const std::byte* line, quant::Codebook codebook, const float* d, float* out) {
  std::uint32_t words[quant::lanes::kRows];
  std::memcpy(words, line, sizeof words);
  const NumeratorOfCode of = numerator_of_code(codebook);
  const auto bits = static_cast<unsigned>(quant::bits_of(codebook));
  const std::uint32_t mask = (1U << bits) - 1;
  for (unsigned c = 0; c < quant::lanes::columns_of_line(codebook); ++c) {
    const unsigned shift = 8 * (c % 4) + c / 4 * bits;
    for (std::size_t r = 0; r < quant::lanes::kRows; ++r) {
      const auto code = static_cast<std::int32_t>(words[r] >> shift & mask);
      const std::int32_t numerator = of.factor * code + of.upper * (code >> 1) + of.offset;
      out[c * quant::lanes::kRows + r] = static_cast<float>(numerator) * d[r];
    }
  }
}

// Columns decoded at a time for all tokens: 16 KiB of L1.
inline constexpr std::size_t kDecodedColumns = 256;

template <typename V>
void group_times_tokens(const quant::Matrix& w, std::size_t group, const FloatRows& x, std::size_t n_tokens,
                        V (*sums)[16]) {
  const std::byte* scales = w.data + group * quant::lanes::group_bytes(w.lanes, w.cols);
  const std::byte* lines = scales + quant::lanes::scale_bytes(w.lanes, w.cols);
  const std::size_t columns = quant::lanes::columns_of_line(w.lanes.codebook);
  for (std::size_t begin = 0; begin < w.cols; begin += kDecodedColumns) {
    const std::size_t end = begin + kDecodedColumns < w.cols ? begin + kDecodedColumns : w.cols;
    alignas(64) float decoded[kDecodedColumns * quant::lanes::kRows];
    for (std::size_t col = begin; col < end; col += columns) {
      std::uint16_t halves[quant::lanes::kRows];
      std::memcpy(halves, scales + col / w.lanes.block * sizeof halves, sizeof halves);
      float d[quant::lanes::kRows];
      V::load(halves).store(d);
      decode_line<V>(lines + col / columns * quant::lanes::kLineBytes, w.lanes.codebook, d,
                     decoded + (col - begin) * quant::lanes::kRows);
    }
    for (std::size_t t = 0; t < n_tokens; ++t) {
      const float* input = x.x + t * x.stride + begin;
      V sum[16];
      for (std::size_t lane = 0; lane < 16; ++lane) sum[lane] = sums[t][lane];
      for (std::size_t i = 0; i < end - begin; i += 16) {
        for (std::size_t lane = 0; lane < 16; ++lane)
          sum[lane] = fma(V::load(decoded + (i + lane) * quant::lanes::kRows), V::broadcast(input[i + lane]),
                          sum[lane]);
      }
      for (std::size_t lane = 0; lane < 16; ++lane) sums[t][lane] = sum[lane];
    }
  }
}

template <typename V>
void matmul_lanes_f32(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                      std::size_t n_tokens, const OutputRows& y) {
  constexpr std::size_t kTokens = 8;  // whose sums are kept at a time
  for (std::size_t row = row_begin; row < row_end; row += quant::lanes::kRows) {
    const std::size_t n_rows = row + quant::lanes::kRows < row_end ? quant::lanes::kRows : row_end - row;
    for (std::size_t first = 0; first < n_tokens; first += kTokens) {
      const std::size_t n = first + kTokens < n_tokens ? kTokens : n_tokens - first;
      V sums[kTokens][16];
      for (auto& token : sums) {
        for (V& lane : token) lane = V::zero();
      }
      group_times_tokens(w, row / quant::lanes::kRows, {x.x + first * x.stride, x.stride}, n, sums);
      for (std::size_t t = 0; t < n; ++t) {
        for (std::size_t half = 8; half > 0; half /= 2) {
          for (std::size_t lane = 0; lane < half; ++lane)
            sums[t][lane] = sums[t][lane] + sums[t][lane + half];
        }
        const V product = sums[t][0] * V::broadcast(w.scale);
        float* const to = y.y + (first + t) * y.stride + row;
        n_rows == quant::lanes::kRows ? product.store(to) : product.store(to, n_rows);
      }
    }
  }
}

}  // namespace bitnet::kernels::generic
