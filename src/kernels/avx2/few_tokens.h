// A draft or some sequences: a few tokens at once, weights straight from memory, unpacked in registers.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "kernels/avx2/ternary.h"
#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::avx2 {

// Two rows and four tokens at a time: 8 sums, the rows' codes, packed and not, the mask, one vector of
// activations and one product fill 15 of the 16 registers. With two tokens three rows.
inline constexpr std::size_t kFewTokens = 4;
static constexpr std::size_t few_rows(std::size_t n_tokens) { return n_tokens <= 2 ? 3 : 2; }
// Rows that all tokens pass by before the next: at home in the second cache.
inline constexpr std::size_t kFewChunkBytes = std::size_t{24} << 10;

// One group of R rows, `step` bytes apart, times N tokens.
template <typename Dot, std::size_t R, std::size_t N>
[[gnu::always_inline]] inline void add_group_of_rows(const std::uint8_t* group, std::size_t step,
                                                     const std::int8_t* q, std::size_t stride,
                                                     __m256i (&sum)[R][N]) {
  const __m256i mask = _mm256_set1_epi8(3);
  __m256i packed[R];
  generic::unrolled<R>([&](auto r) { packed[r] = load_32(group + r * step); });
  generic::unrolled<4>([&](auto k) __attribute__((always_inline)) {
    __m256i codes[R];
    generic::unrolled<R>([&](auto r) {
      codes[r] = _mm256_and_si256(k == 3 ? packed[r] : _mm256_srli_epi16(packed[r], 6 - 2 * k), mask);
    });
    generic::unrolled<N>([&](auto t) __attribute__((always_inline)) {
      const __m256i a = load_32(q + t * stride + 32 * k);
      generic::unrolled<R>([&](auto r) { Dot::add_in_place(sum[r][t], codes[r], a); });
    });
  });
}

// Tokens [first, first + N).
template <typename Dot, std::size_t N>
class FewTile {
  static_assert(N <= 4);

 public:
  FewTile(const quant::Matrix& w, const QuantizedRows& x, std::size_t first, const OutputRows& y)
      : codes_(reinterpret_cast<const std::uint8_t*>(w.data)),
        row_bytes_(w.cols / 4),
        q_(x.q + first * x.stride),
        stride_(x.stride),
        y_(y.y + first * y.stride),
        y_stride_(y.stride) {
    for (std::size_t t = 0; t < N; ++t) {
      const Finish finish(w, x, first + t);
      factor_[t] = finish.factor;
      activation_sum_[t] = finish.activation_sum;
    }
  }

  // Rows row, row + apart, ... R of them.
  template <std::size_t R>
  void multiply(std::size_t row, std::size_t apart) const {
    constexpr std::size_t kBlockBytes = kBlock / 4;
    const std::size_t step = apart * row_bytes_;
    const std::uint8_t* const codes = codes_ + row * row_bytes_;
    __m256i sum32[R][N];
    generic::for_each<R, N>([&](auto r, auto t) { sum32[r][t] = _mm256_setzero_si256(); });
    for (std::size_t block = 0; block < row_bytes_; block += kBlockBytes) {
      const std::size_t end = std::min(block + kBlockBytes, row_bytes_);
      __m256i sum[R][N];
      generic::for_each<R, N>([&](auto r, auto t) { sum[r][t] = _mm256_setzero_si256(); });
      for (std::size_t at = block; at < end; at += 64) {
        for (std::size_t r = 0; r < R; ++r) {
          const std::uint8_t* ahead = codes + r * step + at + Dot::kPrefetchBytes;
          _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T0);
        }
        add_group_of_rows<Dot>(codes + at, step, q_ + at * 4, stride_, sum);
        if (at + 32 < end) add_group_of_rows<Dot>(codes + at + 32, step, q_ + at * 4 + 128, stride_, sum);
      }
      generic::for_each<R, N>([&](auto r, auto t) { sum32[r][t] = Dot::widen_add(sum32[r][t], sum[r][t]); });
    }
    generic::unrolled<R>([&](auto r) { store(sum32[r], row + r * apart); });
  }

 private:
  void store(const __m256i (&sum)[N], std::size_t row) const {
    const __m256i none = _mm256_setzero_si256();
    const __m128i total =
        add_up(sum[0], sum[1], N > 2 ? sum[N > 2 ? 2 : 0] : none, N > 3 ? sum[N > 3 ? 3 : 0] : none);
    const __m128i codes =
        _mm_sub_epi32(total, _mm_load_si128(reinterpret_cast<const __m128i*>(activation_sum_)));
    alignas(16) float result[4];
    _mm_store_ps(result, _mm_mul_ps(_mm_load_ps(factor_), _mm_cvtepi32_ps(codes)));
    for (std::size_t t = 0; t < N; ++t) y_[t * y_stride_ + row] = result[t];
  }

  const std::uint8_t* codes_;
  std::size_t row_bytes_;
  const std::int8_t* q_;
  std::size_t stride_;
  float* y_;
  std::size_t y_stride_;
  // What a sum becomes a product by: see Finish.
  alignas(16) float factor_[4] = {};
  alignas(16) std::int32_t activation_sum_[4] = {};
};

// n rows in each of R streams, for every tile of tokens before the next rows.
template <typename Dot, std::size_t R>
void rows_times_tiles(const quant::Matrix& w, std::size_t row, std::size_t n, std::size_t apart,
                      const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  const std::size_t n_tiles = (n_tokens + kFewTokens - 1) / kFewTokens;
  const std::size_t chunk = std::max<std::size_t>(1, kFewChunkBytes / (R * w.cols / 4));
  for (std::size_t begin = 0; begin < n; begin += chunk) {
    const std::size_t end = std::min(begin + chunk, n);
    for (std::size_t i = 0; i < n_tiles; ++i) {
      // Of equal size, or one less: at least two.
      const std::size_t first = n_tokens * i / n_tiles;
      const auto multiply = [&](const auto& tile) {
        for (std::size_t at = begin; at < end; ++at) tile.template multiply<R>(row + at, apart);
      };
      switch (n_tokens * (i + 1) / n_tiles - first) {
        case 2:
          multiply(FewTile<Dot, 2>(w, x, first, y));
          break;
        case 3:
          if constexpr (few_rows(3) >= R) multiply(FewTile<Dot, 3>(w, x, first, y));
          break;
        default:
          if constexpr (few_rows(kFewTokens) >= R) multiply(FewTile<Dot, kFewTokens>(w, x, first, y));
      }
    }
  }
}

// The rows come from R parts of the range: each is then one long sequential stream (gemv.h).
template <typename Dot, std::size_t R>
void few_tokens_of(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
                   std::size_t n_tokens, const OutputRows& y) {
  const std::size_t part = (row_end - row_begin) / R;
  rows_times_tiles<Dot, R>(w, row_begin, part, part, x, n_tokens, y);
  const std::size_t rest = row_begin + R * part;
  rows_times_tiles<Dot, 1>(w, rest, row_end - rest, 0, x, n_tokens, y);
}

template <typename Dot>
void few_tokens_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                     const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  assert(n_tokens > 1);
  const auto multiply = few_rows(n_tokens) == 3 ? few_tokens_of<Dot, 3> : few_tokens_of<Dot, 2>;
  multiply(w, row_begin, row_end, x, n_tokens, y);
}

}  // namespace bitnet::kernels::avx2
