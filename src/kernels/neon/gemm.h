// Prefill: weights unpacked once for many tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/generic/unrolled.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {

// Register tile: 4 x 4 sums, four vectors of codes and one of activations, and 8 loads feed 16
// multiplications.
inline constexpr std::size_t kTileRows = 4;
inline constexpr std::size_t kTileTokens = 4;
// Unpacked weights that stay in L1 while all tokens pass by: 16 rows x 768 columns = 12 KiB of 32, beside 3
// KiB of activations.
inline constexpr std::size_t kPanelRows = 16;
inline constexpr std::size_t kPanelCols = 768;
// Tokens whose 32-bit sums are kept at a time: 128 x 16 x 16 bytes = 32 KiB, at home in L2.
inline constexpr std::size_t kTokenBlock = 128;

// The codes of some rows over one block of columns, a byte each.
struct alignas(64) Panel {
  std::int8_t code[kPanelRows][kPanelCols];
};

using TokenSums = int32x4_t[kPanelRows];  // four 32-bit parts of the sum of each row, for one token

static inline void fill(Panel& panel, const quant::Matrix& w, std::size_t row, std::size_t n_rows,
                        std::size_t col, std::size_t n_cols) {
  const std::size_t row_bytes = w.cols / 4;
  const std::byte* const codes = w.data + row * row_bytes + col / 4;
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t at = 0; at < n_cols / 4; at += kVectorBytes) {
      const uint8x16_t packed = load_16(codes + r * row_bytes + at);
      std::int8_t* const to = panel.code[r] + at / kGroupBytes * 128 + at % kGroupBytes;
      generic::unrolled<4>([&](auto k) { vst1q_s8(to + 32 * k, codes_of<k>(packed)); });
    }
  }
}

// Sums of R rows and N tokens over one block of columns, added to the 32-bit ones.
template <typename Dots, std::size_t R, std::size_t N>
void multiply_tile(const Panel& panel, std::size_t row, const std::int8_t* q, std::size_t stride,
                   std::size_t n_cols, TokenSums* sum) {
  typename Dots::Sum block_sum[N][R];
  generic::for_each<N, R>([&](auto t, auto r) { block_sum[t][r] = Dots::zero(); });
  for (std::size_t i = 0; i < n_cols; i += 16) {
    int8x16_t codes[R];
    generic::unrolled<R>([&](auto r) { codes[r] = load_16(&panel.code[row + r][i]); });
    generic::unrolled<N>([&](auto t) __attribute__((always_inline)) {
      const int8x16_t a = load_16(q + t * stride + i);
      generic::unrolled<R>([&](auto r) { block_sum[t][r] = Dots::add(block_sum[t][r], codes[r], a); });
    });
  }
  generic::for_each<N, R>(
      [&](auto t, auto r) { sum[t][row + r] = Dots::widen_add(sum[t][row + r], block_sum[t][r]); });
}

// N tokens over all rows of the panel.
template <typename Dots, std::size_t N>
void multiply_panel(const Panel& panel, std::size_t n_rows, const std::int8_t* q, std::size_t stride,
                    std::size_t n_cols, TokenSums* sum) {
  std::size_t row = 0;
  for (; row + kTileRows <= n_rows; row += kTileRows)
    multiply_tile<Dots, kTileRows, N>(panel, row, q, stride, n_cols, sum);
  for (; row < n_rows; ++row) multiply_tile<Dots, 1, N>(panel, row, q, stride, n_cols, sum);
}

template <typename Dots>
void multiply_rows(const quant::Matrix& w, std::size_t row, std::size_t n_rows, const QuantizedRows& x,
                   std::size_t first_token, std::size_t n_tokens, const OutputRows& y) {
  static_assert(kPanelCols <= Dots::kBlock && kTokenBlock % kTileTokens == 0);
  TokenSums sum[kTokenBlock];
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (int32x4_t& s : sum[t]) s = vdupq_n_s32(0);
  }
  // Blocks of equal size, so that none is a short rest.
  const std::size_t n_blocks = (w.cols + kPanelCols - 1) / kPanelCols;
  const std::size_t block = (w.cols / 128 + n_blocks - 1) / n_blocks * 128;
  Panel panel;
  for (std::size_t col = 0; col < w.cols; col += block) {
    const std::size_t n_cols = std::min(block, w.cols - col);
    fill(panel, w, row, n_rows, col, n_cols);
    const std::int8_t* q = x.q + first_token * x.stride + col;
    std::size_t t = 0;
    for (; t + kTileTokens <= n_tokens; t += kTileTokens)
      multiply_panel<Dots, kTileTokens>(panel, n_rows, q + t * x.stride, x.stride, n_cols, sum + t);
    for (; t < n_tokens; ++t)
      multiply_panel<Dots, 1>(panel, n_rows, q + t * x.stride, x.stride, n_cols, sum + t);
  }
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const Finish finish(w, x, first_token + t);
    float* const to = y.y + (first_token + t) * y.stride + row;
    for (std::size_t r = 0; r < n_rows; ++r) to[r] = finish(sum[t][r]);
  }
}

template <typename Dots>
void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t row = row_begin; row < row_end; row += kPanelRows) {
    for (std::size_t t = 0; t < n_tokens; t += kTokenBlock)
      multiply_rows<Dots>(w, row, std::min(kPanelRows, row_end - row), x, t,
                          std::min(kTokenBlock, n_tokens - t), y);
  }
}

}  // namespace bitnet::kernels::neon
