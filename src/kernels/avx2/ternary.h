// Ternary products of I2_S weights with int8 activations, 256 bits at a time: what AVX2 and AVX-VNNI share.
//
// 32 bytes of weights hold 4 x 32 codes: shifted by 6, 4, 2, 0 and masked, they stand beside 32 consecutive
// activations each. Codes 0, 1, 2 are unsigned and multiply signed activations; the sum of the activations
// comes off at the end, since code c stands for c - 1.
//
// The kernels (gemv.h, gemm.h) are templates over the instructions that multiply, Dot: how they add up
// products, and what becomes of such sums every kBlock elements. Functions that are no templates are static:
// a file for AVX-VNNI includes them too, and the linker must not pick its copy for processors without.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitnet::kernels::avx2 {

inline constexpr std::size_t kBlock = 2048;  // elements whose products may be added up before Dot::widen_add

// One 32-byte group as four vectors of codes, in the order of the activations.
struct Codes {
  __m256i of[4];
};

static inline Codes unpack(const std::uint8_t* group) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group));
  const __m256i mask = _mm256_set1_epi8(3);
  return {{_mm256_and_si256(_mm256_srli_epi16(packed, 6), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask), _mm256_and_si256(packed, mask)}};
}

static inline __m256i load_32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

static inline std::int32_t reduce_add(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

// The sums of four vectors.
static inline __m128i add_up(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  const __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
  const __m256i halves = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

// Products of one token's rows from their sums: code c stands for c - 1.
struct Finish {
  Finish(const quant::Matrix& w, const QuantizedRows& x, std::size_t token)
      : factor(w.scale / x.scale[token]), activation_sum(x.sum[token]) {}
  float operator()(__m256i sum) const {
    return factor * static_cast<float>(reduce_add(sum) - activation_sum);
  }
  // Of four rows.
  __m128 operator()(__m128i sums) const {
    return _mm_mul_ps(_mm_set1_ps(factor),
                      _mm_cvtepi32_ps(_mm_sub_epi32(sums, _mm_set1_epi32(activation_sum))));
  }
  float factor;
  std::int32_t activation_sum;
};

}  // namespace bitnet::kernels::avx2
