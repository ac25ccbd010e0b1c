// A draft or some sequences: a few tokens at once, weights straight from memory, unpacked in registers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/generic/unrolled.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {

// Four rows and four tokens at a time: 16 sums, the rows' codes, packed and not, a vector of activations and
// the mask fill 26 of the 32 registers.
inline constexpr std::size_t kFewRows = 4;
inline constexpr std::size_t kFewTokens = 4;
// Rows that all tokens pass by before the next: at home in the second cache.
inline constexpr std::size_t kFewChunkBytes = std::size_t{32} << 10;

// Rows row, row + apart, ... R of them, and tokens [first, first + N).
template <typename Dots, std::size_t R, std::size_t N>
void rows_times_few(const quant::Matrix& w, std::size_t row, std::size_t apart, const QuantizedRows& x,
                    std::size_t first, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const std::size_t step = apart * row_bytes;
  const std::byte* const codes = w.data + row * row_bytes;
  const std::int8_t* const q = x.q + first * x.stride;
  int32x4_t sum32[R][N];
  generic::for_each<R, N>([&](auto r, auto t) { sum32[r][t] = vdupq_n_s32(0); });
  for (std::size_t block = 0; block < row_bytes; block += Dots::kBlock / 4) {
    const std::size_t end = std::min(block + Dots::kBlock / 4, row_bytes);
    typename Dots::Sum sum[R][N];
    generic::for_each<R, N>([&](auto r, auto t) { sum[r][t] = Dots::zero(); });
    for (std::size_t at = block; at < end; at += kVectorBytes) {
      uint8x16_t packed[R];
      generic::unrolled<R>([&](auto r) {
        if (at % 64 == 0) prefetch(codes + r * step + at + Dots::kPrefetchBytes);
        packed[r] = load_16(codes + r * step + at);
      });
      const std::int8_t* const a = q + at / kGroupBytes * 128 + at % kGroupBytes;
      generic::unrolled<4>([&](auto k) __attribute__((always_inline)) {
        int8x16_t c[R];
        generic::unrolled<R>([&](auto r) { c[r] = codes_of<k>(packed[r]); });
        generic::unrolled<N>([&](auto t) __attribute__((always_inline)) {
          const int8x16_t of_token = load_16(a + t * x.stride + 32 * k);
          generic::unrolled<R>([&](auto r) { sum[r][t] = Dots::add(sum[r][t], c[r], of_token); });
        });
      });
    }
    generic::for_each<R, N>([&](auto r, auto t) { sum32[r][t] = Dots::widen_add(sum32[r][t], sum[r][t]); });
  }
  generic::unrolled<N>([&](auto t) {
    const Finish finish(w, x, first + t);
    float* const to = y.y + (first + t) * y.stride + row;
    generic::unrolled<R>([&](auto r) { to[r * apart] = finish(sum32[r][t]); });
  });
}

// n rows in each of R streams, for every tile of tokens before the next rows.
template <typename Dots, std::size_t R>
void rows_times_tiles(const quant::Matrix& w, std::size_t row, std::size_t n, std::size_t apart,
                      const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  const std::size_t chunk = std::max<std::size_t>(1, kFewChunkBytes / (R * w.cols / 4));
  for (std::size_t begin = 0; begin < n; begin += chunk) {
    const std::size_t end = std::min(begin + chunk, n);
    const auto multiply = [&](auto rows_times, std::size_t first) {
      for (std::size_t at = begin; at < end; ++at) rows_times(w, row + at, apart, x, first, y);
    };
    std::size_t t = 0;
    for (; t + kFewTokens <= n_tokens; t += kFewTokens) multiply(rows_times_few<Dots, R, kFewTokens>, t);
    if (t + 2 <= n_tokens) {
      multiply(rows_times_few<Dots, R, 2>, t);
      t += 2;
    }
    if (t < n_tokens) multiply(rows_times_few<Dots, R, 1>, t);
  }
}

// The rows come from R parts of the range: each is then one long sequential stream.
template <typename Dots>
void few_tokens_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                     const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  const std::size_t part = (row_end - row_begin) / kFewRows;
  rows_times_tiles<Dots, kFewRows>(w, row_begin, part, part, x, n_tokens, y);
  const std::size_t rest = row_begin + kFewRows * part;
  rows_times_tiles<Dots, 1>(w, rest, row_end - rest, 0, x, n_tokens, y);
}

}  // namespace bitnet::kernels::neon
