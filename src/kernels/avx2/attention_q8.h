// Sums of products of 16-bit and 8-bit whole numbers for attention over int8 keys and values
// (generic/attention_q8.h). VPMADDWD adds two products.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/generic/attention_q8.h"

namespace bitnet::kernels::avx2 {

inline __m256i widen_16_bytes(const std::int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

struct PairDots {
  template <std::size_t N>
  static void score(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                    std::size_t head_dim, std::size_t n, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    std::size_t j = 0;
    for (; j + 2 <= n; j += 2) score_tile<N, 2>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
    if (j < n) score_tile<N, 1>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
  }

  template <std::size_t N>
  static void mix(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                  std::size_t n, const std::byte* ahead, std::int32_t (&sums)[N][generic::kStripe]) {
    for (std::size_t i = 0; i < generic::kStripe; i += 16)
      mix_16<N>(codes, values + i, stride, n, ahead == nullptr ? nullptr : ahead + i * kKeyBlock, sums, i);
  }

 private:
  static __m256i add_products(__m256i sum, __m256i a, __m256i b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  }

  // Four or eight sums, the values and what is multiplied leave registers to spare; two keys at a time hide
  // the additions' latency.
  template <std::size_t N, std::size_t K>
  static void score_tile(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                         std::size_t head_dim, std::size_t j, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    __m256i sum[N][K];
#pragma GCC unroll 4
    for (auto& of_query : sum) {
#pragma GCC unroll 2
      for (__m256i& s : of_query) s = _mm256_setzero_si256();
    }
    for (std::size_t i = 0; i < q_stride; i += 16) {
      __m256i key[K];
#pragma GCC unroll 2
      for (std::size_t k = 0; k < K; ++k) key[k] = widen_16_bytes(keys + k * head_dim + i);
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h) {
        const __m256i query = _mm256_load_si256(reinterpret_cast<const __m256i*>(q + h * q_stride + i));
#pragma GCC unroll 2
        for (std::size_t k = 0; k < K; ++k) sum[h][k] = add_products(sum[h][k], key[k], query);
      }
    }
#pragma GCC unroll 4
    for (std::size_t h = 0; h < N; ++h) {
      // Of one key and of the other, or of the same again.
      const __m256i two = _mm256_hadd_epi32(sum[h][0], sum[h][K - 1]);
      const __m256i one = _mm256_hadd_epi32(two, two);
      const __m128i all = _mm_add_epi32(_mm256_castsi256_si128(one), _mm256_extracti128_si256(one, 1));
      if constexpr (K == 2) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(sums[h] + j), all);
      } else {
        sums[h][j] = _mm_cvtsi128_si32(all);
      }
    }
  }

  // Values [i, i + 16) of the stripe: of two keys side by side, those first that unpacking takes from the
  // lower halves of each 128 bits. Eight sums, two values, weights and a product fill 12 of 16 registers.
  template <std::size_t N>
  static void mix_16(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                     std::size_t n, const std::byte* ahead, std::int32_t (&sums)[N][generic::kStripe],
                     std::size_t i) {
    __m256i sum[N][2];
#pragma GCC unroll 4
    for (auto& of_row : sum) of_row[0] = of_row[1] = _mm256_setzero_si256();
    for (std::size_t j = 0; j < n; j += 2) {
      if (ahead != nullptr && j % 4 == 0) generic::prefetch(ahead + 16 * j, 64);
      const std::int8_t* const first = values + j * stride;
      const __m256i a = widen_16_bytes(first);
      const __m256i b = widen_16_bytes(j + 1 < n ? first + stride : first);
      const __m256i lower = _mm256_unpacklo_epi16(a, b);
      const __m256i upper = _mm256_unpackhi_epi16(a, b);
#pragma GCC unroll 4
      for (std::size_t h = 0; h < N; ++h) {
        std::int32_t pair;
        std::memcpy(&pair, codes[h] + j, sizeof pair);
        const __m256i weights = _mm256_set1_epi32(pair);
        sum[h][0] = add_products(sum[h][0], lower, weights);
        sum[h][1] = add_products(sum[h][1], upper, weights);
      }
    }
#pragma GCC unroll 4
    for (std::size_t h = 0; h < N; ++h) {
      auto* const to = reinterpret_cast<__m256i*>(sums[h] + i);
      _mm256_store_si256(to, _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x20));
      _mm256_store_si256(to + 1, _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x31));
    }
  }
};

}  // namespace bitnet::kernels::avx2
