// Products of weights that are decoded to floats a stretch at a time, each stretch for a few tokens, written
// once over the 16-lane float V of a backend and a decoder. This is how ternary weights meet unquantized
// activations (the reference mode), and how block types are multiplied that few files have. Many tokens:
// float_panels.h.
#pragma once

#include <cstddef>

#include "kernels/generic/elementwise.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// The values of elements [begin, end) of one row, without w.scale; both are multiples of the type's block.
using Decode = void(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out);

// Elements decoded at a time: a multiple of every such type's block, 4 KiB of L1.
inline constexpr std::size_t kDecoded = 1024;
// Tokens that share a decoded stretch; their sums are independent chains.
inline constexpr std::size_t kTokenTile = 4;

template <typename V, std::size_t N>
inline void row_times_tokens(Decode* decode, const quant::Matrix& w, std::size_t row, const float* x,
                             std::size_t x_stride, float* y, std::size_t y_stride) {
  V sum[N];
#pragma GCC unroll 4
  for (V& s : sum) s = V::zero();
  for (std::size_t begin = 0; begin < w.cols; begin += kDecoded) {
    const std::size_t end = begin + kDecoded < w.cols ? begin + kDecoded : w.cols;
    alignas(64) float weight[kDecoded];
    decode(w, row, begin, end, weight);
    // Blocks are whole multiples of 16, so lanes go on where the stretch before left them.
    for (std::size_t i = 0; i < end - begin; i += 16) {
      const V v = V::load(weight + i);
#pragma GCC unroll 4
      for (std::size_t t = 0; t < N; ++t) sum[t] = fma(v, V::load(x + t * x_stride + begin + i), sum[t]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t t = 0; t < N; ++t) y[t * y_stride + row] = reduce_add(sum[t]) * w.scale;
}

template <typename V>
void matmul_decoded(Decode* decode, const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const FloatRows& x, std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t r = row_begin; r < row_end; ++r) {
    std::size_t t = 0;
    for (; t + kTokenTile <= n_tokens; t += kTokenTile) {
      row_times_tokens<V, kTokenTile>(decode, w, r, x.x + t * x.stride, x.stride, y.y + t * y.stride,
                                      y.stride);
    }
    for (; t < n_tokens; ++t) {
      row_times_tokens<V, 1>(decode, w, r, x.x + t * x.stride, x.stride, y.y + t * y.stride, y.stride);
    }
  }
}

}  // namespace bitnet::kernels::generic
