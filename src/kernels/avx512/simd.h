// The 16-lane float as one 512-bit register (AVX-512 F, BW, VL).
#pragma once

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/bit_field.h"

namespace bitnet::kernels::avx512 {

// A mask of the first n of 16 lanes.
inline __mmask16 first_lanes(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1); }

struct F32x16 {
  static constexpr std::size_t kPrefetchBytes = 2048;
  // Sums that fit in registers beside the weights and inputs that they come of.
  static constexpr std::size_t kTileRows = 4;
  static constexpr std::size_t kTileTokens = 4;
  // Of weights in panels. 4 x 6 measured no more.
  static constexpr std::size_t kPanelTileRows = 4;
  static constexpr std::size_t kPanelTileTokens = 4;
  // Keys, or sixteens of a head's elements, that attention works on at a time with four queries: 16 sums and
  // what is multiplied fill 24 of the 32 registers, and 8 loads feed 16 multiplications.
  static constexpr std::size_t kTile = 4;
  __m512 v;

  static F32x16 broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static F32x16 broadcast_f16(const std::uint16_t* p) {
    return {_mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(*p)))};
  }
  static F32x16 zero() { return {_mm512_setzero_ps()}; }

  static F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static F32x16 load(const std::uint16_t* f16) { return {_mm512_cvtph_ps(load_16(f16))}; }
  static F32x16 load_bf16(const std::uint16_t* p) { return widen_bf16(load_16(p)); }
  static F32x16 load_i8(const std::int8_t* p) { return widen_i8(load_bytes(p)); }
  static F32x16 load_i32(const std::int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
  // 16 bytes of two 4-bit codes each, to code - 8: the low codes, the high ones. A permutation, which looks
  // at the low four bits of a lane, is the table.
  static std::array<F32x16, 2> load_4_bits(const std::uint8_t* p) {
    const __m512 table = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i codes = _mm512_cvtepu8_epi32(load_bytes(p));
    return {F32x16{_mm512_permutexvar_ps(codes, table)},
            F32x16{_mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), table)}};
  }
  // 32 codes less kZero: of bits of low[i] and, where `high` has any, others of high[i].
  template <BitField low, BitField high = BitField{}, int kZero = 0>
  static std::array<F32x16, 2> load_codes(const std::uint8_t* low_bits,
                                          const std::uint8_t* high_bits = nullptr) {
    __m256i codes = bits_of<low>(low_bits);
    if constexpr (high.n > 0) codes = _mm256_or_si256(codes, bits_of<high>(high_bits));
    if constexpr (kZero != 0) codes = _mm256_sub_epi8(codes, _mm256_set1_epi8(kZero));
    return {widen_i8(_mm256_castsi256_si128(codes)), widen_i8(_mm256_extracti128_si256(codes, 1))};
  }

  // The first n < 16 elements; the other lanes are 0 and their memory is not read.
  static F32x16 load(const float* p, std::size_t n) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
  static F32x16 load(const std::uint16_t* f16, std::size_t n) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), f16))};
  }
  static F32x16 load_bf16(const std::uint16_t* p, std::size_t n) {
    return widen_bf16(_mm256_maskz_loadu_epi16(first_lanes(n), p));
  }

  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, std::size_t n) const { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
  void store_f16(std::uint16_t* p, std::size_t n = 16) const {
    _mm256_mask_storeu_epi16(p, first_lanes(n),
                             _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  // Lanes hold whole numbers in [-128, 127].
  void store_i8(std::int8_t* p, std::size_t n = 16) const {
    _mm_mask_storeu_epi8(p, first_lanes(n), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  // Lanes hold whole numbers in [-32768, 32767].
  void store_i16(std::int16_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(v)));
  }

  friend F32x16 operator+(const F32x16& a, const F32x16& b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32x16 operator-(const F32x16& a, const F32x16& b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F32x16 operator*(const F32x16& a, const F32x16& b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F32x16 operator/(const F32x16& a, const F32x16& b) { return {_mm512_div_ps(a.v, b.v)}; }

 private:
  static __m256i load_16(const std::uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m128i load_bytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  // Of 32 bytes, each in its place in the code.
  template <BitField field>
  static __m256i bits_of(const std::uint8_t* p) {
    constexpr int kRight = field.from - field.to;
    const __m256i bytes = load_32_bytes(p);
    const __m256i moved = kRight >= 0 ? _mm256_srli_epi16(bytes, kRight) : _mm256_slli_epi16(bytes, -kRight);
    return _mm256_and_si256(moved, _mm256_set1_epi8(field.mask()));
  }
  static __m256i load_32_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static F32x16 widen_i8(__m128i v) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v))}; }
  static F32x16 widen_bf16(__m256i x) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))};
  }
};

inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 max(const F32x16& a, const F32x16& b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 min(const F32x16& a, const F32x16& b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 abs(const F32x16& a) {
  return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7FFFFFFF)))};
}

// To the nearest whole number, ties to even. For |a| < 2^22 (adding 1.5 * 2^23 leaves no fraction bits).
inline F32x16 round_even(const F32x16& a) {
  const F32x16 magic = F32x16::broadcast(0x1.8p23F);
  return (a + magic) - magic;
}

// 2^n for whole n in [-126, 127]: the bits of n + 1.5 * 2^23 end in n, which becomes the exponent.
inline F32x16 exp2_whole(const F32x16& n) {
  const __m512i shifted = _mm512_castps_si512((n + F32x16::broadcast(0x1.8p23F)).v);
  const __m512i bias = _mm512_set1_epi32(0x4B400000 - 127);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_sub_epi32(shifted, bias), 23))};
}

// Lanes 2i and 2i+1 exchanged.
inline F32x16 swap_pairs(const F32x16& a) { return {_mm512_permute_ps(a.v, _MM_SHUFFLE(2, 3, 0, 1))}; }
// Lane i of the first 8 to lanes 2i and 2i+1.
inline F32x16 duplicate_low(const F32x16& a) {
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return {_mm512_permutexvar_ps(twice, a.v)};
}

inline __m256 upper_half(__m512 v) {
  return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
}

// The canonical fold: (l, l+8), (l, l+4), (l, l+2), (l, l+1).
inline float reduce_add(const F32x16& a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), upper_half(a.v));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
// x's eight sums of halves, then y's.
inline __m512 fold_halves(__m512 x, __m512 y) {
  const __m512 outer = _mm512_mask_blend_ps(0xFF00, x, y);  // adding is the same from either side
  return _mm512_add_ps(outer, _mm512_shuffle_f32x4(x, y, _MM_SHUFFLE(1, 0, 3, 2)));
}
// Four vectors' first two folds, 128 bits of each.
inline __m512 fold_to_quarters(const F32x16 (&a)[4]) {
  const __m512 first = fold_halves(a[0].v, a[1].v);
  const __m512 second = fold_halves(a[2].v, a[3].v);
  return _mm512_add_ps(_mm512_shuffle_f32x4(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
                       _mm512_shuffle_f32x4(first, second, _MM_SHUFFLE(3, 1, 3, 1)));
}
// The same fold of four vectors at once, side by side.
inline void reduce_add_4(const F32x16 (&a)[4], float* out) {
  const __m512 four = fold_to_quarters(a);
  const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, _MM_SHUFFLE(3, 2, 3, 2)));
  const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, _MM_SHUFFLE(1, 1, 1, 1)));
  const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, one)));
}
// The same fold of sixteen: out[h * stride + k] = fold of a[h][k] * scale.
inline void reduce_add_4x4(const F32x16 (&a)[4][4], const F32x16& scale, float* out, std::size_t stride) {
  const auto two = [](const F32x16(&x)[4], const F32x16(&y)[4]) {
    const __m512d x4 = _mm512_castps_pd(fold_to_quarters(x));
    const __m512d y4 = _mm512_castps_pd(fold_to_quarters(y));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x4, y4)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(x4, y4)));
  };
  const __m512 first = two(a[0], a[1]);
  const __m512 second = two(a[2], a[3]);
  const __m512 one = _mm512_add_ps(_mm512_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
                                   _mm512_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1)));
  // Its 128 bits number k hold a[0][k], a[1][k], a[2][k], a[3][k].
  const __m512i by_row = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512 all = _mm512_mul_ps(_mm512_permutexvar_ps(by_row, one), scale.v);
  _mm_storeu_ps(out, _mm512_castps512_ps128(all));
  _mm_storeu_ps(out + stride, _mm512_extractf32x4_ps(all, 1));
  _mm_storeu_ps(out + 2 * stride, _mm512_extractf32x4_ps(all, 2));
  _mm_storeu_ps(out + 3 * stride, _mm512_extractf32x4_ps(all, 3));
}
inline float reduce_max(const F32x16& a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), upper_half(a.v));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace bitnet::kernels::avx512
