// Products with unquantized weights, written once over the 16-lane float V of a backend.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/generic/elementwise.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// How a stored element type is loaded.
struct LoadF32 {
  using Stored = float;
  template <typename V>
  static V load(const float* p, std::size_t m) {
    return load_up_to_16<V>(p, m);
  }
};
struct LoadF16 {
  using Stored = std::uint16_t;
  template <typename V>
  static V load(const std::uint16_t* p, std::size_t m) {
    return load_up_to_16<V>(p, m);
  }
};
struct LoadBf16 {
  using Stored = std::uint16_t;
  template <typename V>
  static V load(const std::uint16_t* p, std::size_t m) {
    return m == 16 ? V::load_bf16(p) : V::load_bf16(p, m);
  }
};

// Rows computed together: their sums are independent chains, which hides the latency of the fused
// multiply-add, and each load of x serves them all.
inline constexpr std::size_t kRowTile = 4;

// Rows row, row + step, ... of one token.
template <typename V, typename Load, std::size_t N>
inline void rows_times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const float* x,
                             float* y) {
  const auto* data = reinterpret_cast<const typename Load::Stored*>(w.data) + row * w.cols;
  V sum[N];
  for (V& s : sum) s = V::zero();
  constexpr std::size_t kLine = 64 / sizeof(typename Load::Stored);
  std::size_t i = 0;
  for (; i + kLine <= w.cols; i += kLine) {
    if constexpr (V::kPrefetchBytes > 0) {
      for (std::size_t j = 0; j < N; ++j)
        __builtin_prefetch(reinterpret_cast<const char*>(data + j * step * w.cols + i) + V::kPrefetchBytes);
    }
    for (std::size_t part = i; part < i + kLine; part += 16) {
      const V v = V::load(x + part);
      for (std::size_t j = 0; j < N; ++j)
        sum[j] = fma(Load::template load<V>(data + j * step * w.cols + part, 16), v, sum[j]);
    }
  }
  for_each_16(w.cols - i, [&](std::size_t offset, std::size_t m) {
    const V v = load_up_to_16<V>(x + i + offset, m);
    for (std::size_t j = 0; j < N; ++j)
      sum[j] = fma(Load::template load<V>(data + j * step * w.cols + i + offset, m), v, sum[j]);
  });
  for (std::size_t j = 0; j < N; ++j) y[row + j * step] = reduce_add(sum[j]) * w.scale;
}

template <typename V, typename Load>
void matmul_float_of(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                     std::size_t n_tokens, const OutputRows& y) {
  // Rows of a tile come from the quarters of the range: four long sequential streams, which memory serves
  // better than four that jump from row to row.
  const std::size_t quarter = (row_end - row_begin) / kRowTile;
  for (std::size_t r = row_begin; r < row_begin + quarter; ++r) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      rows_times_token<V, Load, kRowTile>(w, r, quarter, x.x + t * x.stride, y.y + t * y.stride);
    }
  }
  for (std::size_t r = row_begin + kRowTile * quarter; r < row_end; ++r) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      rows_times_token<V, Load, 1>(w, r, 0, x.x + t * x.stride, y.y + t * y.stride);
    }
  }
}

template <typename V>
void matmul_float(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                  std::size_t n_tokens, const OutputRows& y) {
  switch (w.type) {
    case quant::TensorType::f32:
      return matmul_float_of<V, LoadF32>(w, row_begin, row_end, x, n_tokens, y);
    case quant::TensorType::f16:
      return matmul_float_of<V, LoadF16>(w, row_begin, row_end, x, n_tokens, y);
    case quant::TensorType::bf16:
      return matmul_float_of<V, LoadBf16>(w, row_begin, row_end, x, n_tokens, y);
    case quant::TensorType::i2_s:
      break;  // ternary: matmul_ternary
  }
}

}  // namespace bitnet::kernels::generic
