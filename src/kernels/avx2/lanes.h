// Products of codes in lanes, 256 bits at a time: eight rows, so that a group is two vectors. What AVX2 and
// AVX-VNNI share; Add says how products are added up.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/generic/matmul_lanes.h"

namespace bitnet::kernels::avx2 {

template <typename Add>
struct Lanes : Add {
  using Int = __m256i;
  using Narrow = __m256i;
  using Float = __m256;

  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kParts = 2;
  // 8 sums, the codes of both halves and four activations: more tokens would want more than 16 registers.
  static constexpr std::size_t kTileTokens = 4;
  static constexpr std::size_t kPanelGroups = 0;  // panels measured a tenth less than unpacking on the way
  static constexpr std::size_t kGroupsOfTile = 1;
  static constexpr std::size_t kGroupsOf4 = 1;
  static constexpr std::size_t kGroupsOf2 = 1;
  static constexpr std::size_t kGroupsOf1 = 2;

  static Int load(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  template <int n>
  static Int right(Int v) {
    if constexpr (n == 0) return v;
    return _mm256_srli_epi32(v, n);
  }
  template <int n>
  static Int left(Int v) {
    return _mm256_slli_epi32(v, n);
  }
  static Int bits(Int v, char mask) { return _mm256_and_si256(v, _mm256_set1_epi8(mask)); }
  static Int look_up(Int table, Int codes) { return _mm256_shuffle_epi8(table, codes); }
  static Narrow no_products() { return _mm256_setzero_si256(); }
  static Int broadcast(std::int32_t v) { return _mm256_set1_epi32(v); }

  static Float broadcast(float v) { return _mm256_set1_ps(v); }
  static Float load_f16(const std::byte* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Float to_float(Int v) { return _mm256_cvtepi32_ps(v); }
  static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static void store(float* p, Float v, std::size_t n) {
    if (n == kLanes) return _mm256_storeu_ps(p, v);
    const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), numbers), v);
  }
};

}  // namespace bitnet::kernels::avx2
