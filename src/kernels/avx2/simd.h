// The 16-lane float as two 256-bit registers (AVX2, FMA, F16C). Lane l of the contract is lane l % 8 of
// register l / 8.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/bit_field.h"

namespace bitnet::kernels::avx2 {

// Row n has the first n of 8 lanes switched on, for masked loads and stores.
alignas(32) inline constexpr std::int32_t kLaneMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                           0,  0,  0,  0,  0,  0,  0,  0};

inline __m256i first_lanes(std::size_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMask + 8 - n));
}

struct F32x16 {
  // Of keys and of sixteens of a head's elements that attention works on at a time with four queries: their
  // sums alone are half the registers.
  static constexpr std::size_t kTile = 1;
  static constexpr std::size_t kPrefetchBytes = 0;
  // Sums that fit in registers beside the weights and inputs that they come of.
  static constexpr std::size_t kTileRows = 2;
  static constexpr std::size_t kTileTokens = 2;
  // Of weights in panels: 12 registers of sums; weights and inputs come from memory.
  static constexpr std::size_t kPanelTileRows = 1;
  static constexpr std::size_t kPanelTileTokens = 6;
  __m256 low;   // lanes 0..7
  __m256 high;  // lanes 8..15

  static F32x16 broadcast(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
  static F32x16 broadcast_f16(const std::uint16_t* p) {
    const __m256 all = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(*p)));
    return {all, all};
  }
  static F32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }

  static F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F32x16 load(const std::uint16_t* f16) {
    return {_mm256_cvtph_ps(load_8(f16)), _mm256_cvtph_ps(load_8(f16 + 8))};
  }
  static F32x16 load_bf16(const std::uint16_t* p) {
    return {widen_bf16(load_8(p)), widen_bf16(load_8(p + 8))};
  }

  static F32x16 load_i8(const std::int8_t* p) { return widen_i8(load_bytes(p)); }
  static F32x16 load_i32(const std::int32_t* p) {
    const auto* at = reinterpret_cast<const __m256i*>(p);
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(at)), _mm256_cvtepi32_ps(_mm256_loadu_si256(at + 1))};
  }
  // 16 bytes of two 4-bit codes each, to code - 8: the low codes, the high ones.
  static std::array<F32x16, 2> load_4_bits(const std::uint8_t* p) {
    const __m128i bytes = load_bytes(p);
    const __m128i mask = _mm_set1_epi8(15);
    const __m128i zero_code = _mm_set1_epi8(8);
    return {widen_i8(_mm_sub_epi8(_mm_and_si128(bytes, mask), zero_code)),
            widen_i8(_mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), zero_code))};
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
  static F32x16 load(const float* p, std::size_t n) {
    if (n <= 8) return {_mm256_maskload_ps(p, first_lanes(n)), _mm256_setzero_ps()};
    return {_mm256_loadu_ps(p), _mm256_maskload_ps(p + 8, first_lanes(n - 8))};
  }
  static F32x16 load(const std::uint16_t* f16, std::size_t n) {
    std::uint16_t padded[16] = {};
    std::memcpy(padded, f16, n * sizeof *f16);
    return load(padded);
  }
  static F32x16 load_bf16(const std::uint16_t* p, std::size_t n) {
    std::uint16_t padded[16] = {};
    std::memcpy(padded, p, n * sizeof *p);
    return load_bf16(padded);
  }

  void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
  void store(float* p, std::size_t n) const {
    if (n == 16) return store(p);
    if (n <= 8) return _mm256_maskstore_ps(p, first_lanes(n), low);
    _mm256_storeu_ps(p, low);
    _mm256_maskstore_ps(p + 8, first_lanes(n - 8), high);
  }
  void store_f16(std::uint16_t* p, std::size_t n = 16) const {
    alignas(16) std::uint16_t all[16];
    auto* at = reinterpret_cast<__m128i*>(n == 16 ? p : all);
    _mm_storeu_si128(at, _mm256_cvtps_ph(low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128(at + 1, _mm256_cvtps_ph(high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    if (n != 16) std::memcpy(p, all, n * sizeof *p);
  }
  // Lanes hold whole numbers in [-128, 127].
  void store_i8(std::int8_t* p, std::size_t n = 16) const {
    const __m256i words = to_words();
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (n == 16) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    } else {
      alignas(16) std::int8_t all[16];
      _mm_store_si128(reinterpret_cast<__m128i*>(all), bytes);
      std::memcpy(p, all, n);
    }
  }

  // Lanes hold whole numbers in [-32768, 32767].
  void store_i16(std::int16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_words()); }

  friend F32x16 operator+(const F32x16& a, const F32x16& b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  friend F32x16 operator-(const F32x16& a, const F32x16& b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  friend F32x16 operator*(const F32x16& a, const F32x16& b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  friend F32x16 operator/(const F32x16& a, const F32x16& b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }

 private:
  // Packing works within 128-bit halves; the permutation puts the quarters back in order.
  __m256i to_words() const {
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high)),
                                    _MM_SHUFFLE(3, 1, 2, 0));
  }
  static __m128i load_8(const std::uint16_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
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
  static F32x16 widen_i8(__m128i v) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(v, v)))};
  }
  static __m256 widen_bf16(__m128i v) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
  }
};

inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32x16 max(const F32x16& a, const F32x16& b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline F32x16 min(const F32x16& a, const F32x16& b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline F32x16 abs(const F32x16& a) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  return {_mm256_and_ps(a.low, magnitude), _mm256_and_ps(a.high, magnitude)};
}

// To the nearest whole number, ties to even. For |a| < 2^22 (adding 1.5 * 2^23 leaves no fraction bits).
inline F32x16 round_even(const F32x16& a) {
  const F32x16 magic = F32x16::broadcast(0x1.8p23F);
  return (a + magic) - magic;
}

// 2^n for whole n in [-126, 127]: the bits of n + 1.5 * 2^23 end in n, which becomes the exponent.
inline F32x16 exp2_whole(const F32x16& n) {
  const F32x16 shifted = n + F32x16::broadcast(0x1.8p23F);
  const __m256i bias = _mm256_set1_epi32(0x4B400000 - 127);
  const auto power = [&](__m256 v) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_sub_epi32(_mm256_castps_si256(v), bias), 23));
  };
  return {power(shifted.low), power(shifted.high)};
}

// Lanes 2i and 2i+1 exchanged.
inline F32x16 swap_pairs(const F32x16& a) {
  return {_mm256_permute_ps(a.low, _MM_SHUFFLE(2, 3, 0, 1)),
          _mm256_permute_ps(a.high, _MM_SHUFFLE(2, 3, 0, 1))};
}
// Lane i of the first 8 to lanes 2i and 2i+1.
inline F32x16 duplicate_low(const F32x16& a) {
  return {_mm256_permutevar8x32_ps(a.low, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_ps(a.low, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}

// The canonical fold: (l, l+8), (l, l+4), (l, l+2), (l, l+1).
inline float reduce_add(const F32x16& a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
// The same fold of four vectors at once.
inline void reduce_add_4(const F32x16 (&a)[4], float* out) {
  // Of two vectors the halves, then their halves, side by side: adding is the same from either side.
  const auto four = [](const F32x16& x, const F32x16& y) {
    const __m256 x8 = _mm256_add_ps(x.low, x.high);
    const __m256 y8 = _mm256_add_ps(y.low, y.high);
    return _mm256_add_ps(_mm256_permute2f128_ps(x8, y8, 0x20), _mm256_permute2f128_ps(x8, y8, 0x31));
  };
  const __m256d first = _mm256_castps_pd(four(a[0], a[1]));
  const __m256d second = _mm256_castps_pd(four(a[2], a[3]));
  const __m256 two = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(first, second)),
                                   _mm256_castpd_ps(_mm256_unpackhi_pd(first, second)));
  const __m256 one = _mm256_add_ps(two, _mm256_movehdup_ps(two));
  // Of vectors 0 and 2 in the lower half, 1 and 3 in the upper one, at every other place.
  const __m128 even = _mm256_castps256_ps128(one);
  const __m128 odd = _mm256_extractf128_ps(one, 1);
  const __m128 both = _mm_shuffle_ps(even, odd, _MM_SHUFFLE(2, 0, 2, 0));
  _mm_storeu_ps(out, _mm_permute_ps(both, _MM_SHUFFLE(3, 1, 2, 0)));
}
inline float reduce_max(const F32x16& a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace bitnet::kernels::avx2
