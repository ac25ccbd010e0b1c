// Products with many tokens of weights that are decoded to floats, written once over the 16-lane float V of a
// backend and a decoder: some rows over some columns at a time, a panel that all tokens pass by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/generic/ahead.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/matmul_decoded.h"
#include "kernels/generic/unrolled.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

struct FloatPanel {
  // 16 KiB of decoded weights stay in L1 while all tokens pass by, beside 6 KiB of inputs. Columns are a
  // multiple of every type's block.
  static constexpr std::size_t kRows = 16;
  static constexpr std::size_t kCols = 256;
  // Tokens whose sums are kept at a time: 48 x 16 x 64 bytes = 48 KiB, at home in L2. Twice as many measured
  // no more, and some systems' threads have a stack of 128 KiB.
  static constexpr std::size_t kTokens = 48;
  // From so many tokens on, decoding to memory pays: where there are kernels that multiply as they decode,
  // and where there are none.
  static constexpr std::size_t kLeastTokens = 32;
  static constexpr std::size_t kLeastOfDecoded = 6;

  using Rows = float[kRows][kCols];
  // The sixteen lanes of each row's sum, of one token.
  using Sums = float[kRows][16];
};

// R rows from `row` on and T tokens over n columns, added to the sums. x: those columns of the first token's.
template <typename V, std::size_t R, std::size_t T>
void panel_tile(const FloatPanel::Rows& panel, std::size_t row, const float* x, std::size_t stride,
                std::size_t n, FloatPanel::Sums* sums) {
  V sum[T][R];
  for_each<T, R>([&](auto t, auto r)
                     __attribute__((always_inline)) { sum[t][r] = V::load(sums[t][row + r]); });
  const auto add = [&](std::size_t i, auto load_input) __attribute__((always_inline)) {
    V w[R];
    unrolled<R>([&](auto r) __attribute__((always_inline)) { w[r] = V::load(panel[row + r] + i); });
    unrolled<T>([&](auto t) __attribute__((always_inline)) {
      const V input = load_input(x + t * stride + i);
      unrolled<R>([&](auto r) __attribute__((always_inline)) { sum[t][r] = fma(w[r], input, sum[t][r]); });
    });
  };
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) add(i, [](const float* p) { return V::load(p); });
  if (i < n) add(i, [&](const float* p) { return V::load(p, n - i); });
  for_each<T, R>([&](auto t, auto r) __attribute__((always_inline)) { sum[t][r].store(sums[t][row + r]); });
}

// T tokens over all rows of the panel.
template <typename V, std::size_t T>
void panel_tiles(const FloatPanel::Rows& panel, std::size_t n_rows, const float* x, std::size_t stride,
                 std::size_t n, FloatPanel::Sums* sums) {
  static_assert(FloatPanel::kRows % V::kPanelTileRows == 0);
  for (std::size_t row = 0; row < n_rows; row += V::kPanelTileRows)
    panel_tile<V, V::kPanelTileRows, T>(panel, row, x, stride, n, sums);
}

// At most kRows rows, and kTokens tokens.
template <typename V>
void multiply_panels(Decode* decode, const quant::Matrix& w, std::size_t row, std::size_t n_rows,
                     const FloatRows& x, std::size_t n_tokens, const OutputRows& y, Ahead ahead) {
  alignas(64) FloatPanel::Rows panel;
  alignas(64) FloatPanel::Sums sums[FloatPanel::kTokens];
  std::memset(sums, 0, n_tokens * sizeof *sums);
  // Of rows behind the last, which fill a tile: what they give is never stored.
  for (std::size_t r = n_rows; r < FloatPanel::kRows; ++r) std::memset(panel[r], 0, sizeof panel[r]);
  for (std::size_t begin = 0; begin < w.cols; begin += FloatPanel::kCols) {
    const std::size_t end = std::min(begin + FloatPanel::kCols, w.cols);
    const std::size_t n = end - begin;
    for (std::size_t r = 0; r < n_rows; ++r) {
      decode(w, row + r, begin, end, panel[r]);
      for (std::size_t i = n; i % 16 != 0; ++i) panel[r][i] = 0;
    }
    std::size_t t = 0;
    for (; t + V::kPanelTileTokens <= n_tokens; t += V::kPanelTileTokens) {
      ahead.ask();
      panel_tiles<V, V::kPanelTileTokens>(panel, n_rows, x.x + t * x.stride + begin, x.stride, n, sums + t);
    }
    unrolled<V::kPanelTileTokens - 1>([&](auto i) {
      constexpr std::size_t kRest = i + 1;
      if (n_tokens - t == kRest)
        panel_tiles<V, kRest>(panel, n_rows, x.x + t * x.stride + begin, x.stride, n, sums + t);
    });
  }
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t r = 0; r < n_rows; ++r)
      y.y[t * y.stride + row + r] = reduce_add(V::load(sums[t][r])) * w.scale;
  }
}

template <typename V>
void matmul_panels(Decode* decode, const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                   const FloatRows& x, std::size_t n_tokens, const OutputRows& y) {
  const std::size_t row_bytes = quant::n_bytes_of(w) / w.rows;
  const std::size_t n_blocks = (w.cols + FloatPanel::kCols - 1) / FloatPanel::kCols;
  for (std::size_t row = row_begin; row < row_end; row += FloatPanel::kRows) {
    const std::size_t n_rows = std::min(FloatPanel::kRows, row_end - row);
    const std::size_t next = row + n_rows;
    for (std::size_t t = 0; t < n_tokens; t += FloatPanel::kTokens) {
      const std::size_t n = std::min(FloatPanel::kTokens, n_tokens - t);
      // The rows that come next are asked for while the last tokens are multiplied.
      const bool is_last = t + n == n_tokens;
      const Ahead ahead(w.data + next * row_bytes,
                        is_last ? std::min(FloatPanel::kRows, w.rows - next) * row_bytes : 0,
                        n_blocks * (n / V::kPanelTileTokens + 1));
      multiply_panels<V>(decode, w, row, n_rows, {x.x + t * x.stride, x.stride}, n,
                         {y.y + t * y.stride, y.stride}, ahead);
    }
  }
}

// Of weights that are always decoded first, by the number of tokens.
template <typename V>
void matmul_of_decoded(Decode* decode, const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                       const FloatRows& x, std::size_t n_tokens, const OutputRows& y) {
  const auto matmul = n_tokens >= FloatPanel::kLeastOfDecoded ? matmul_panels<V> : matmul_decoded<V>;
  matmul(decode, w, row_begin, row_end, x, n_tokens, y);
}

// Ternary weights with activations that are not quantized: the reference mode.
template <typename V, Decode* decode>
void matmul_ternary_f32(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                        const FloatRows& x, std::size_t n_tokens, const OutputRows& y) {
  matmul_of_decoded<V>(decode, w, row_begin, row_end, x, n_tokens, y);
}

}  // namespace bitnet::kernels::generic
