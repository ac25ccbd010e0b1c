// Decode: one token, weights straight from memory.
#pragma once

#include "kernels/avx2/ternary.h"

namespace bitnet::kernels::avx2 {

// Rows worked on together: one load of activations serves them all. 4 sums + 4 activations + codes and mask
// fit the 16 registers.
inline constexpr std::size_t kGemvRows = 4;
// Rows row, row + step, ...
template <typename Dot, std::size_t N>
void rows_times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const QuantizedRows& x,
                      std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + row * row_bytes;
  const std::int8_t* q = x.q + token * x.stride;
  __m256i sum32[N];
  for (std::size_t r = 0; r < N; ++r) sum32[r] = _mm256_setzero_si256();
  for (std::size_t block = 0; block < row_bytes; block += kBlock / 4) {
    const std::size_t end = block + kBlock / 4 < row_bytes ? block + kBlock / 4 : row_bytes;
    __m256i sum[N];
    for (std::size_t r = 0; r < N; ++r) sum[r] = _mm256_setzero_si256();
    const auto add_group = [&](std::size_t at) {
      const __m256i a0 = load_32(q + at * 4);
      const __m256i a1 = load_32(q + at * 4 + 32);
      const __m256i a2 = load_32(q + at * 4 + 64);
      const __m256i a3 = load_32(q + at * 4 + 96);
      for (std::size_t r = 0; r < N; ++r) {
        sum[r] = Dot::add_group(sum[r], unpack(codes + r * step * row_bytes + at), a0, a1, a2, a3);
      }
    };
    for (std::size_t at = block; at < end; at += 64) {
      // Once for each cache line: asking for both its halves costs instructions that AVX2 has none to spare
      // of.
      for (std::size_t r = 0; r < N; ++r) {
        const std::uint8_t* ahead = codes + r * step * row_bytes + at + Dot::kPrefetchBytes;
        _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T0);
      }
      add_group(at);
      if (at + 32 < end) add_group(at + 32);
    }
    for (std::size_t r = 0; r < N; ++r) sum32[r] = Dot::widen_add(sum32[r], sum[r]);
  }
  for (std::size_t r = 0; r < N; ++r) finish(w, row + r * step, x, token, sum32[r], y);
}

template <typename Dot>
void gemv_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t token, const OutputRows& y) {
  // The four rows come from four quarters of the range: each is then one long sequential stream, which the
  // processor's own prefetching follows. Four neighbouring rows measured half the speed.
  const std::size_t quarter = (row_end - row_begin) / kGemvRows;
  for (std::size_t row = row_begin; row < row_begin + quarter; ++row)
    rows_times_token<Dot, kGemvRows>(w, row, quarter, x, token, y);
  for (std::size_t row = row_begin + kGemvRows * quarter; row < row_end; ++row)
    rows_times_token<Dot, 1>(w, row, 0, x, token, y);
}

}  // namespace bitnet::kernels::avx2
