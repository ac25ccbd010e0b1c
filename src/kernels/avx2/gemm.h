// Prefill: weights unpacked once for many tokens.
#pragma once

#include <algorithm>

#include "kernels/avx2/ternary.h"
#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::avx2 {

// Unpacked weights that stay in L1 while all tokens pass by: 12 rows x 1280 columns = 15 KiB of 32, beside 4
// KiB of activations. Fewer rows would fetch the activations from L2 more often.
inline constexpr std::size_t kPanelRows = 12;
inline constexpr std::size_t kPanelCols = 1280;
static_assert(kPanelCols <= kBlock);
// Columns whose products are one round of the innermost loop: on a Zen 3 32 measured 6 % less.
inline constexpr std::size_t kUnrolledCols = 128;
// Tokens whose 32-bit sums are kept at a time: 90 x 12 x 32 bytes = 34 KiB, at home in L2; whole multiples of
// each Dot's tile.
inline constexpr std::size_t kTokenBlock = 90;

// The codes of some rows over one block of columns, a byte each.
struct alignas(64) Panel {
  std::uint8_t code[kPanelRows][kPanelCols];
};

using TokenSums = __m256i[kPanelRows];  // eight 32-bit parts of the sum of each row, for one token

static inline void fill(Panel& panel, const quant::Matrix& w, std::size_t row, std::size_t n_rows,
                        std::size_t col, std::size_t n_cols) {
  const std::size_t row_bytes = w.cols / 4;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + row * row_bytes + col / 4;
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t at = 0; at < n_cols; at += 128) {
      const Codes c = unpack(codes + r * row_bytes + at / 4);
      for (std::size_t k = 0; k < 4; ++k) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(&panel.code[r][at + 32 * k]), c.of[k]);
      }
    }
  }
}

// Has the memory of what fill() will read next on its way: short pieces of rows, which the processor's own
// prefetching does not follow.
static inline void ask_for(const quant::Matrix& w, std::size_t row, std::size_t n_rows, std::size_t col,
                           std::size_t n_cols) {
  const std::size_t row_bytes = w.cols / 4;
  const auto* codes = reinterpret_cast<const char*>(w.data) + row * row_bytes + col / 4;
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t at = 0; at < n_cols / 4; at += 64) _mm_prefetch(codes + r * row_bytes + at, _MM_HINT_T1);
  }
}

// Sums of R rows and N tokens over one block of columns, added to the 32-bit ones.
template <typename Dot, std::size_t R, std::size_t N>
void multiply_tile(const Panel& panel, std::size_t row, const std::int8_t* q, std::size_t stride,
                   std::size_t n_cols, TokenSums* sum) {
  __m256i block_sum[N][R];
  generic::for_each<N, R>([&](auto t, auto r) { block_sum[t][r] = _mm256_setzero_si256(); });
  for (std::size_t begin = 0; begin < n_cols; begin += kUnrolledCols) {
    generic::unrolled<kUnrolledCols / 32>([&](auto k) __attribute__((always_inline)) {
      const std::size_t i = begin + 32 * k;
      __m256i codes[R];
      generic::unrolled<R>([&](auto r) { codes[r] = load_32(&panel.code[row + r][i]); });
      generic::unrolled<N>([&](auto t) __attribute__((always_inline)) {
        const __m256i a = load_32(q + t * stride + i);
        generic::unrolled<R>([&](auto r) { Dot::add_in_place(block_sum[t][r], codes[r], a); });
      });
    });
  }
  generic::for_each<N, R>(
      [&](auto t, auto r) { sum[t][row + r] = Dot::widen_add(sum[t][row + r], block_sum[t][r]); });
}

// N tokens over all rows of the panel.
template <typename Dot, std::size_t N>
void multiply_panel(const Panel& panel, std::size_t n_rows, const std::int8_t* q, std::size_t stride,
                    std::size_t n_cols, TokenSums* sum) {
  std::size_t row = 0;
  for (; row + Dot::kTileRows <= n_rows; row += Dot::kTileRows)
    multiply_tile<Dot, Dot::kTileRows, N>(panel, row, q, stride, n_cols, sum);
  for (; row < n_rows; ++row) multiply_tile<Dot, 1, N>(panel, row, q, stride, n_cols, sum);
}

template <typename Dot>
void multiply_rows(const quant::Matrix& w, std::size_t row, std::size_t n_rows, const QuantizedRows& x,
                   std::size_t first_token, std::size_t n_tokens, const OutputRows& y) {
  static_assert(kPanelRows % Dot::kTileRows == 0 && kTokenBlock % Dot::kTileTokens == 0);
  TokenSums sum[kTokenBlock];
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (__m256i& s : sum[t]) s = _mm256_setzero_si256();
  }
  // Blocks of equal size, so that none is a short rest.
  const std::size_t n_blocks = (w.cols + kPanelCols - 1) / kPanelCols;
  const std::size_t block = (w.cols / 128 + n_blocks - 1) / n_blocks * 128;
  Panel panel;
  for (std::size_t col = 0; col < w.cols; col += block) {
    const std::size_t n_cols = col + block < w.cols ? block : w.cols - col;
    fill(panel, w, row, n_rows, col, n_cols);
    const bool is_last = col + block >= w.cols;
    const std::size_t next_row = is_last ? row + n_rows : row;
    const std::size_t next_col = is_last ? 0 : col + block;
    ask_for(w, next_row, std::min(n_rows, w.rows - next_row), next_col, std::min(block, w.cols - next_col));
    const std::int8_t* q = x.q + first_token * x.stride + col;
    std::size_t t = 0;
    for (; t + Dot::kTileTokens <= n_tokens; t += Dot::kTileTokens) {
      multiply_panel<Dot, Dot::kTileTokens>(panel, n_rows, q + t * x.stride, x.stride, n_cols, sum + t);
    }
    generic::unrolled<Dot::kTileTokens - 1>([&](auto i) {
      constexpr std::size_t kRest = i + 1;
      if (n_tokens - t == kRest)
        multiply_panel<Dot, kRest>(panel, n_rows, q + t * x.stride, x.stride, n_cols, sum + t);
    });
  }
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const Finish finish(w, x, first_token + t);
    float* const to = y.y + (first_token + t) * y.stride + row;
    std::size_t r = 0;
    for (; r + 4 <= n_rows; r += 4) {
      const __m256i* of = sum[t] + r;
      _mm_storeu_ps(to + r, finish(add_up(of[0], of[1], of[2], of[3])));
    }
    for (; r < n_rows; ++r) to[r] = finish(sum[t][r]);
  }
}

template <typename Dot>
void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t t = 0; t < n_tokens; t += kTokenBlock) {
    const std::size_t n = t + kTokenBlock < n_tokens ? kTokenBlock : n_tokens - t;
    for (std::size_t row = row_begin; row < row_end; row += kPanelRows) {
      const std::size_t n_rows = row + kPanelRows < row_end ? kPanelRows : row_end - row;
      multiply_rows<Dot>(w, row, n_rows, x, t, n, y);
    }
  }
}

}  // namespace bitnet::kernels::avx2
