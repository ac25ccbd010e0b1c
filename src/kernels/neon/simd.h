// The 16-lane float as four 128-bit registers. Lane l of the contract is lane l % 4 of register l / 4.
#pragma once

#include <arm_neon.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/bit_field.h"

namespace bitnet::kernels::neon {

struct F32x16 {
  // Of keys and of sixteens of a head's elements that attention works on at a time with four queries: their
  // sums alone are half the registers.
  static constexpr std::size_t kTile = 1;
  static constexpr std::size_t kPrefetchBytes = 0;
  // Sums that fit in registers beside the weights and inputs that they come of.
  static constexpr std::size_t kTileRows = 2;
  static constexpr std::size_t kTileTokens = 2;
  // Of weights in panels: 16 registers of sums, 4 of weights and 4 of inputs.
  static constexpr std::size_t kPanelTileRows = 1;
  static constexpr std::size_t kPanelTileTokens = 4;
  float32x4_t v[4];

  // f(0), ..., f(3).
  template <typename F>
  [[gnu::always_inline]] static F32x16 make(F f) {
    return {{f(0), f(1), f(2), f(3)}};
  }

  static F32x16 broadcast(float x) {
    const float32x4_t all = vdupq_n_f32(x);
    return {{all, all, all, all}};
  }
  static F32x16 broadcast_f16(const std::uint16_t* p) {
    const float32x4_t all = vcvt_f32_f16(vreinterpret_f16_u16(vld1_dup_u16(p)));
    return {{all, all, all, all}};
  }
  static F32x16 zero() { return broadcast(0.0F); }

  static F32x16 load(const float* p) {
    return make([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  static F32x16 load(const std::uint16_t* f16) {
    const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(f16));
    const float16x8_t high = vreinterpretq_f16_u16(vld1q_u16(f16 + 8));
    return {{vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
             vcvt_high_f32_f16(high)}};
  }
  static F32x16 load_bf16(const std::uint16_t* p) {
    const uint16x8_t low = vld1q_u16(p);
    const uint16x8_t high = vld1q_u16(p + 8);
    return {{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)),
             vreinterpretq_f32_u32(vshll_high_n_u16(low, 16)),
             vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)),
             vreinterpretq_f32_u32(vshll_high_n_u16(high, 16))}};
  }
  static F32x16 load_i8(const std::int8_t* p) { return widen(vld1q_s8(p)); }
  static F32x16 load_i32(const std::int32_t* p) {
    return make([&](int i) { return vcvtq_f32_s32(vld1q_s32(p + 4 * i)); });
  }
  // 16 bytes of two 4-bit codes each, to code - 8: the low codes, the high ones.
  static std::array<F32x16, 2> load_4_bits(const std::uint8_t* p) {
    const uint8x16_t bytes = vld1q_u8(p);
    return {widen_codes(vandq_u8(bytes, vdupq_n_u8(15)), 8), widen_codes(vshrq_n_u8(bytes, 4), 8)};
  }
  // 32 codes less kZero: of bits of low[i] and, where `high` has any, others of high[i].
  template <BitField low, BitField high = BitField{}, int kZero = 0>
  static std::array<F32x16, 2> load_codes(const std::uint8_t* low_bits,
                                          const std::uint8_t* high_bits = nullptr) {
    const auto sixteen = [&](std::size_t at) __attribute__((always_inline)) {
      uint8x16_t codes = bits_of<low>(low_bits + at);
      if constexpr (high.n > 0) codes = vorrq_u8(codes, bits_of<high>(high_bits + at));
      return widen_codes(codes, kZero);
    };
    return {sixteen(0), sixteen(16)};
  }

  // The first n < 16 elements; the other lanes are 0 and their memory is not read.
  static F32x16 load(const float* p, std::size_t n) {
    float padded[16] = {};
    std::memcpy(padded, p, n * sizeof *p);
    return load(padded);
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
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v[i]);
  }
  void store(float* p, std::size_t n) const {
    if (n == 16) return store(p);
    float all[16];
    store(all);
    std::memcpy(p, all, n * sizeof *p);
  }
  void store_f16(std::uint16_t* p, std::size_t n = 16) const {
    std::uint16_t all[16];
    std::uint16_t* const to = n == 16 ? p : all;
    for (int i = 0; i < 4; ++i) vst1_u16(to + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v[i])));
    if (n != 16) std::memcpy(p, all, n * sizeof *p);
  }
  // Lanes hold whole numbers in [-128, 127].
  void store_i8(std::int8_t* p, std::size_t n = 16) const {
    const int8x16_t bytes = vcombine_s8(vmovn_s16(words(0)), vmovn_s16(words(2)));
    if (n == 16) return vst1q_s8(p, bytes);
    std::int8_t all[16];
    vst1q_s8(all, bytes);
    std::memcpy(p, all, n);
  }
  // Lanes hold whole numbers in [-32768, 32767].
  void store_i16(std::int16_t* p) const {
    vst1q_s16(p, words(0));
    vst1q_s16(p + 8, words(2));
  }

  friend F32x16 operator+(const F32x16& a, const F32x16& b) {
    return make([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
  }
  friend F32x16 operator-(const F32x16& a, const F32x16& b) {
    return make([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
  }
  friend F32x16 operator*(const F32x16& a, const F32x16& b) {
    return make([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
  }
  friend F32x16 operator/(const F32x16& a, const F32x16& b) {
    return make([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
  }

 private:
  // Of 16 bytes, each in its place in the code.
  template <BitField field>
  static uint8x16_t bits_of(const std::uint8_t* p) {
    constexpr int kRight = field.from - field.to;
    uint8x16_t bytes = vld1q_u8(p);
    if constexpr (kRight > 0) bytes = vshrq_n_u8(bytes, kRight);
    if constexpr (kRight < 0) bytes = vshlq_n_u8(bytes, -kRight);
    return vandq_u8(bytes, vreinterpretq_u8_s8(vdupq_n_s8(field.mask())));
  }
  static F32x16 widen(int8x16_t bytes) {
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t high = vmovl_high_s8(bytes);
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
  }
  // To code - zero.
  static F32x16 widen_codes(uint8x16_t codes, std::int8_t zero) {
    return widen(vsubq_s8(vreinterpretq_s8_u8(codes), vdupq_n_s8(zero)));
  }
  // Of registers first and first + 1.
  int16x8_t words(int first) const {
    return vcombine_s16(vmovn_s32(vcvtq_s32_f32(v[first])), vmovn_s32(vcvtq_s32_f32(v[first + 1])));
  }
};

// a * b + c, rounded once.
inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  return F32x16::make([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}

// The second operand where either is a NaN, which FMAX and FMAXNM would have otherwise.
inline float32x4_t max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline float32x4_t min(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }

inline F32x16 max(const F32x16& a, const F32x16& b) {
  return F32x16::make([&](int i) { return max(a.v[i], b.v[i]); });
}
inline F32x16 min(const F32x16& a, const F32x16& b) {
  return F32x16::make([&](int i) { return min(a.v[i], b.v[i]); });
}
inline F32x16 abs(const F32x16& a) {
  return F32x16::make([&](int i) { return vabsq_f32(a.v[i]); });
}

// To the nearest whole number, ties to even. For |a| < 2^22 (adding 1.5 * 2^23 leaves no fraction bits).
inline F32x16 round_even(const F32x16& a) {
  const F32x16 magic = F32x16::broadcast(0x1.8p23F);
  return (a + magic) - magic;
}

// 2^n for whole n in [-126, 127]: the bits of n + 1.5 * 2^23 end in n, which becomes the exponent.
inline F32x16 exp2_whole(const F32x16& n) {
  const F32x16 shifted = n + F32x16::broadcast(0x1.8p23F);
  const uint32x4_t bias = vdupq_n_u32(0x4B400000U - 127U);
  return F32x16::make([&](int i) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vsubq_u32(vreinterpretq_u32_f32(shifted.v[i]), bias), 23));
  });
}

// Lanes 2i and 2i+1 exchanged.
inline F32x16 swap_pairs(const F32x16& a) {
  return F32x16::make([&](int i) { return vrev64q_f32(a.v[i]); });
}
// Lane i of the first 8 to lanes 2i and 2i+1.
inline F32x16 duplicate_low(const F32x16& a) {
  return {{vzip1q_f32(a.v[0], a.v[0]), vzip2q_f32(a.v[0], a.v[0]), vzip1q_f32(a.v[1], a.v[1]),
           vzip2q_f32(a.v[1], a.v[1])}};
}

// The canonical fold: (l, l+8), (l, l+4), (l, l+2), (l, l+1). Of which this is the first half.
inline float32x4_t fold_to_4(const F32x16& a) {
  return vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
}
inline float reduce_add(const F32x16& a) {
  const float32x4_t four = fold_to_4(a);
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}
// The same fold of four vectors at once: adding is the same from either side.
inline void reduce_add_4(const F32x16 (&a)[4], float* out) {
  const auto two = [](const F32x16& x, const F32x16& y) {
    const float64x2_t x4 = vreinterpretq_f64_f32(fold_to_4(x));
    const float64x2_t y4 = vreinterpretq_f64_f32(fold_to_4(y));
    return vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(x4, y4)), vreinterpretq_f32_f64(vzip2q_f64(x4, y4)));
  };
  vst1q_f32(out, vpaddq_f32(two(a[0], a[1]), two(a[2], a[3])));
}
inline float reduce_max(const F32x16& a) {
  const float32x4_t four = max(max(a.v[0], a.v[2]), max(a.v[1], a.v[3]));
  const float32x4_t two = max(four, vextq_f32(four, four, 2));
  return vgetq_lane_f32(max(two, vrev64q_f32(two)), 0);
}

}  // namespace bitnet::kernels::neon
