// Decode: one token, weights straight from memory.
#pragma once

#include <algorithm>

#include "kernels/generic/unrolled.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {

// Rows worked on together: one load of activations serves them all. Up to three sums of each, four vectors of
// activations, the packed bytes and what becomes of them fit the 32 registers.
inline constexpr std::size_t kGemvRows = 4;

// The activations of a vector of packed bytes, number `at` of the row.
struct Fields {
  int8x16_t of[4];
};
static inline Fields fields_at(const std::int8_t* q, std::size_t at) {
  const std::int8_t* const first = q + at / kGroupBytes * 128 + at % kGroupBytes;
  return {{load_16(first), load_16(first + 32), load_16(first + 64), load_16(first + 96)}};
}

// codes(r): where the r-th row begins. Its packed bytes, from the first to the last, times one token.
template <typename Dots, std::size_t N, typename RowAt>
[[gnu::always_inline]] inline void sum_rows(RowAt codes, std::size_t row_bytes, const std::int8_t* q,
                                            bool asks_ahead, int32x4_t (&sum32)[N]) {
  generic::unrolled<N>([&](auto r) { sum32[r] = vdupq_n_s32(0); });
  for (std::size_t block = 0; block < row_bytes; block += Dots::kBlock / 4) {
    const std::size_t end = std::min(block + Dots::kBlock / 4, row_bytes);
    typename Dots::Row rows[N];
    for (std::size_t at = block; at < end; at += kGroupBytes) {
      if (asks_ahead && at % 64 == 0)
        generic::unrolled<N>([&](auto r) { prefetch(codes(r) + at + Dots::kPrefetchBytes); });
      generic::unrolled<kGroupBytes / kVectorBytes>([&](auto h) __attribute__((always_inline)) {
        const std::size_t here = at + h * kVectorBytes;
        const Fields a = fields_at(q, here);
        generic::unrolled<N>([&](auto r) { rows[r].add(load_16(codes(r) + here), a.of); });
      });
    }
    generic::unrolled<N>([&](auto r) { sum32[r] = rows[r].added_to(sum32[r]); });
  }
}

// Rows row, row + step, ...
template <typename Dots, std::size_t N>
void rows_times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const QuantizedRows& x,
                      std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const std::byte* const codes = w.data + row * row_bytes;
  int32x4_t sum[N];
  sum_rows<Dots, N>([&](std::size_t r) { return codes + r * step * row_bytes; }, row_bytes,
                    x.q + token * x.stride, true, sum);
  const Finish finish(w, x, token);
  float* const to = y.y + token * y.stride + row;
  for (std::size_t r = 0; r < N; ++r) to[r * step] = finish(sum[r]);
}

template <typename Dots>
void gemv_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t token, const OutputRows& y) {
  // The four rows come from four quarters of the range: each is then one long sequential stream, which the
  // processor's own prefetching follows.
  const std::size_t quarter = (row_end - row_begin) / kGemvRows;
  for (std::size_t row = row_begin; row < row_begin + quarter; ++row)
    rows_times_token<Dots, kGemvRows>(w, row, quarter, x, token, y);
  for (std::size_t row = row_begin + kGemvRows * quarter; row < row_end; ++row)
    rows_times_token<Dots, 1>(w, row, 0, x, token, y);
}

}  // namespace bitnet::kernels::neon
