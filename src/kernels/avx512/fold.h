// Sums over the lanes of several vectors at once.
#pragma once

#include <immintrin.h>

namespace bitnet::kernels::avx512 {

// In each 128 bits the sums of a's, b's, c's and d's 128 bits.
inline __m512i add_within_quarters(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

// The sums of four vectors.
inline __m128i add_up(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i quarters = add_within_quarters(a, b, c, d);
  const __m256i halves =
      _mm256_add_epi32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64(quarters, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

}  // namespace bitnet::kernels::avx512
