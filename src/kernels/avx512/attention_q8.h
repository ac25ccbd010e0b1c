// Sums of products of 16-bit and 8-bit whole numbers for attention over int8 keys and values
// (generic/attention_q8.h). VPDPWSSD adds two products to each of 16 sums.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/avx512/fold.h"
#include "kernels/generic/attention_q8.h"

namespace bitnet::kernels::avx512 {

inline __m512i widen_32_bytes(const std::int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// In each half the sums of x's and y's 128 bits, two of each.
inline __m512i add_halves(__m512i x, __m512i y) {
  return _mm512_add_epi32(_mm512_mask_blend_epi32(0xFF00, x, y),
                          _mm512_shuffle_i32x4(x, y, _MM_SHUFFLE(1, 0, 3, 2)));
}

struct PairDots {
  template <std::size_t N>
  static void score(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                    std::size_t head_dim, std::size_t n, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    std::size_t j = 0;
    for (; j + 4 <= n; j += 4) score_tile<N, 4>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
    for (; j < n; ++j) score_tile<N, 1>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
  }

  template <std::size_t N>
  static void mix(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                  std::size_t n, const std::byte* ahead, std::int32_t (&sums)[N][generic::kStripe]) {
    // Two keys' values side by side make a pair. Of 32 values those are first that unpacking takes from the
    // lower halves of each 128 bits.
    __m512i sum[N][4];
#pragma GCC unroll 4
    for (auto& of_row : sum) {
#pragma GCC unroll 4
      for (__m512i& s : of_row) s = _mm512_setzero_si512();
    }
    for (std::size_t j = 0; j < n; j += 2) {
      if (ahead != nullptr) generic::prefetch(ahead + 64 * j, 128);
      const std::int8_t* const first = values + j * stride;
      const std::int8_t* const second = j + 1 < n ? first + stride : first;
      __m512i pairs[4];
#pragma GCC unroll 2
      for (std::size_t half = 0; half < 2; ++half) {
        const __m512i a = widen_32_bytes(first + 32 * half);
        const __m512i b = widen_32_bytes(second + 32 * half);
        pairs[2 * half] = _mm512_unpacklo_epi16(a, b);
        pairs[2 * half + 1] = _mm512_unpackhi_epi16(a, b);
      }
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h) {
        std::int32_t pair;
        std::memcpy(&pair, codes[h] + j, sizeof pair);
        const __m512i weights = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
        for (std::size_t d = 0; d < 4; ++d) sum[h][d] = _mm512_dpwssd_epi32(sum[h][d], pairs[d], weights);
      }
    }
    const __m512i lower = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i upper = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
#pragma GCC unroll 4
    for (std::size_t h = 0; h < N; ++h) {
#pragma GCC unroll 2
      for (std::size_t half = 0; half < 2; ++half) {
        const __m512i a = sum[h][2 * half];
        const __m512i b = sum[h][2 * half + 1];
        _mm512_store_si512(sums[h] + 32 * half, _mm512_permutex2var_epi32(a, lower, b));
        _mm512_store_si512(sums[h] + 32 * half + 16, _mm512_permutex2var_epi32(a, upper, b));
      }
    }
  }

 private:
  template <std::size_t N, std::size_t K>
  static void score_tile(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                         std::size_t head_dim, std::size_t j, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    __m512i sum[N][K];
#pragma GCC unroll 4
    for (auto& of_query : sum) {
#pragma GCC unroll 4
      for (__m512i& s : of_query) s = _mm512_setzero_si512();
    }
    for (std::size_t i = 0; i < q_stride; i += generic::kCodes) {
      __m512i key[K];
#pragma GCC unroll 4
      for (std::size_t k = 0; k < K; ++k) key[k] = widen_32_bytes(keys + k * head_dim + i);
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h) {
        const __m512i query = _mm512_load_si512(q + h * q_stride + i);
#pragma GCC unroll 4
        for (std::size_t k = 0; k < K; ++k) sum[h][k] = _mm512_dpwssd_epi32(sum[h][k], key[k], query);
      }
    }
    if constexpr (N == 4 && K == 4) {
      __m512i of_query[N];
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h)
        of_query[h] = add_within_quarters(sum[h][0], sum[h][1], sum[h][2], sum[h][3]);
      const __m512i first = add_halves(of_query[0], of_query[1]);
      const __m512i second = add_halves(of_query[2], of_query[3]);
      const __m512i all = _mm512_add_epi32(_mm512_shuffle_i32x4(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
                                           _mm512_shuffle_i32x4(first, second, _MM_SHUFFLE(3, 1, 3, 1)));
      const auto store = [&](std::size_t h, __m128i four) {
        _mm_store_si128(reinterpret_cast<__m128i*>(sums[h] + j), four);
      };
      store(0, _mm512_castsi512_si128(all));
      store(1, _mm512_extracti32x4_epi32(all, 1));
      store(2, _mm512_extracti32x4_epi32(all, 2));
      store(3, _mm512_extracti32x4_epi32(all, 3));
    } else {
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h) {
#pragma GCC unroll 4
        for (std::size_t k = 0; k < K; ++k) sums[h][j + k] = _mm512_reduce_add_epi32(sum[h][k]);
      }
    }
  }
};

}  // namespace bitnet::kernels::avx512
