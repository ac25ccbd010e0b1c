// One token's products with I2_S rows, two groups of 32 bytes at a time.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bitnet::kernels::avx512 {

// The activations that belong to one pair of groups: a vector for each two bits of the bytes.
struct Step {
  __m512i a[4];
};

inline __m256i load_32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

inline __m512i join(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

inline Step pair_of_groups(const std::int8_t* first, const std::int8_t* second) {
  Step step;
  for (std::size_t k = 0; k < 4; ++k) step.a[k] = join(load_32(first + 32 * k), load_32(second + 32 * k));
  return step;
}

inline Step single_group(const std::int8_t* q) {
  Step step;
  for (std::size_t k = 0; k < 4; ++k) step.a[k] = _mm512_zextsi256_si512(load_32(q + 32 * k));
  return step;
}

inline __m512i multiply_add(__m512i sum, __m512i packed, const Step& step) {
  const __m512i mask = _mm512_set1_epi8(3);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 6), mask), step.a[0]);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask), step.a[1]);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 2), mask), step.a[2]);
  return _mm512_dpbusd_epi32(sum, _mm512_and_si512(packed, mask), step.a[3]);
}

}  // namespace bitnet::kernels::avx512
