// Ternary products of I2_S weights with int8 activations, 256 bits at a time.
//
// 32 bytes of weights hold 4 x 32 codes: shifted by 6, 4, 2, 0 and masked, they stand beside 32 consecutive
// activations each. Codes 0, 1, 2 are unsigned and multiply signed activations (VPMADDUBSW); the sum of the
// activations comes off at the end, since code c stands for c - 1.
//
// No 16-bit sum can overflow: a VPMADDUBSW lane is at most 2 * 2 * 128 = 512 in magnitude, never saturates,
// and kSteps = 64 of them lie in [-32768, 32512]. After that many they are widened to 32 bits.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitnet::kernels::avx2 {

inline constexpr std::size_t kSteps = 64;           // VPMADDUBSW results one 16-bit lane can take
inline constexpr std::size_t kBlock = kSteps * 32;  // elements until sums must be widened: 2048

// One 32-byte group as four vectors of codes, in the order of the activations.
struct Codes {
  __m256i of[4];
};

inline Codes unpack(const std::uint8_t* group) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group));
  const __m256i mask = _mm256_set1_epi8(3);
  return {{_mm256_and_si256(_mm256_srli_epi16(packed, 6), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask), _mm256_and_si256(packed, mask)}};
}

inline __m256i load_32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

// Eight 32-bit sums more, from sixteen of 16 bits.
inline __m256i widen_add(__m256i sum32, __m256i sum16) {
  return _mm256_add_epi32(sum32, _mm256_madd_epi16(sum16, _mm256_set1_epi16(1)));
}

inline std::int32_t reduce_add(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

inline void finish(const quant::Matrix& w, std::size_t row, const QuantizedRows& x, std::size_t token,
                   __m256i sum, const OutputRows& y) {
  const std::int32_t total = reduce_add(sum) - x.sum[token];
  y.y[token * y.stride + row] = (w.scale / x.scale[token]) * static_cast<float>(total);
}

// Codes to -1, 0, +1 as floats.
void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out);
// Decode: one token, weights straight from memory.
void gemv_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t token, const OutputRows& y);
// Prefill: weights unpacked once for many tokens.
void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y);

}  // namespace bitnet::kernels::avx2
