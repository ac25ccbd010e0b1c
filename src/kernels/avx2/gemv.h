// Decode: one token, weights straight from memory.
#pragma once

#include "kernels/avx2/ternary.h"

namespace bitnet::kernels::avx2 {

// Rows worked on together: one load of activations serves them all. 4 sums + 4 activations + codes and mask
// fit the 16 registers.
inline constexpr std::size_t kGemvRows = 4;

// A group's 32 bytes times its 128 activations, added to a row's sums. The two middle fields of each half
// byte stay where they are, which saves two shifts: `fours` gathers four times their products.
template <typename Dot>
static inline void add_group(__m256i& ones, __m256i& fours, __m256i packed, const __m256i (&a)[4]) {
  const __m256i low = _mm256_set1_epi8(0x03);
  const __m256i high = _mm256_set1_epi8(0x0C);
  const __m256i upper = _mm256_srli_epi16(packed, 4);
  fours = Dot::add(fours, _mm256_and_si256(upper, high), a[0]);
  ones = Dot::add(ones, _mm256_and_si256(upper, low), a[1]);
  fours = Dot::add(fours, _mm256_and_si256(packed, high), a[2]);
  ones = Dot::add(ones, _mm256_and_si256(packed, low), a[3]);
}

// Rows row, row + step, ...
template <typename Dot, std::size_t N>
void rows_times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const QuantizedRows& x,
                      std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + row * row_bytes;
  const std::int8_t* q = x.q + token * x.stride;
  __m256i sum32[N];
  for (std::size_t r = 0; r < N; ++r) sum32[r] = _mm256_setzero_si256();
  for (std::size_t block = 0; block < row_bytes; block += Dot::kGemvBlockBytes) {
    const std::size_t end =
        block + Dot::kGemvBlockBytes < row_bytes ? block + Dot::kGemvBlockBytes : row_bytes;
    __m256i ones[N];
    __m256i fours[N];
    for (std::size_t r = 0; r < N; ++r) ones[r] = fours[r] = _mm256_setzero_si256();
    const auto add_groups = [&](std::size_t at) {
      const __m256i a[4] = {load_32(q + at * 4), load_32(q + at * 4 + 32), load_32(q + at * 4 + 64),
                            load_32(q + at * 4 + 96)};
      for (std::size_t r = 0; r < N; ++r)
        add_group<Dot>(ones[r], fours[r], load_32(codes + r * step * row_bytes + at), a);
    };
    for (std::size_t at = block; at < end; at += 64) {
      // Once for each cache line: asking for both its halves costs instructions that AVX2 has none to spare
      // of.
      for (std::size_t r = 0; r < N; ++r) {
        const std::uint8_t* ahead = codes + r * step * row_bytes + at + Dot::kPrefetchBytes;
        _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T0);
      }
      add_groups(at);
      if (at + 32 < end) add_groups(at + 32);
    }
    for (std::size_t r = 0; r < N; ++r) sum32[r] = Dot::widen_add(sum32[r], ones[r], fours[r]);
  }
  const Finish finish(w, x, token);
  float* const to = y.y + token * y.stride + row;
  for (std::size_t r = 0; r < N; ++r) to[r * step] = finish(sum32[r]);
}

// Of the four streams: what rows_times_token asks for from then on lies behind it.
template <typename Dot>
void prefetch_beginnings(const quant::Matrix& w, std::size_t row, std::size_t step) {
  const std::size_t row_bytes = w.cols / 4;
  const char* codes = reinterpret_cast<const char*>(w.data) + row * row_bytes;
  for (std::size_t at = 0; at < Dot::kPrefetchBytes && at < step * row_bytes; at += 64) {
    for (std::size_t r = 0; r < kGemvRows; ++r) _mm_prefetch(codes + r * step * row_bytes + at, _MM_HINT_T0);
  }
}

template <typename Dot>
void gemv_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t token, const OutputRows& y) {
  // The four rows come from four quarters of the range: each is then one long sequential stream, which the
  // processor's own prefetching follows. Four neighbouring rows measured half the speed.
  const std::size_t quarter = (row_end - row_begin) / kGemvRows;
  prefetch_beginnings<Dot>(w, row_begin, quarter);
  for (std::size_t row = row_begin; row < row_begin + quarter; ++row)
    rows_times_token<Dot, kGemvRows>(w, row, quarter, x, token, y);
  for (std::size_t row = row_begin + kGemvRows * quarter; row < row_end; ++row)
    rows_times_token<Dot, 1>(w, row, 0, x, token, y);
}

}  // namespace bitnet::kernels::avx2
