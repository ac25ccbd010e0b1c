// The 16-lane float as plain arrays: what the vector backends must reproduce bit for bit.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/half.h"
#include "kernels/bit_field.h"
#include "kernels/scalar/fma.h"

namespace bitnet::kernels::scalar {

struct F32x16 {
  static constexpr std::size_t kPrefetchBytes = 0;
  // Sums that fit in registers beside the weights and inputs that they come of.
  static constexpr std::size_t kTileRows = 1;
  static constexpr std::size_t kTileTokens = 1;
  static constexpr std::size_t kPanelTileRows = 1;
  static constexpr std::size_t kPanelTileTokens = 1;
  static constexpr std::size_t kTile = 1;
  float lane[16];

  template <typename F>
  static F32x16 make(F f) {
    F32x16 r;
    for (std::size_t i = 0; i < 16; ++i) r.lane[i] = f(i);
    return r;
  }

  static F32x16 broadcast(float v) {
    return make([&](std::size_t) { return v; });
  }
  static F32x16 broadcast_f16(const std::uint16_t* p) { return broadcast(f16_to_f32(*p)); }
  static F32x16 zero() { return broadcast(0.0F); }

  static F32x16 load(const float* p) {
    return make([&](std::size_t i) { return p[i]; });
  }
  static F32x16 load(const std::uint16_t* f16) {
    return make([&](std::size_t i) { return f16_to_f32(f16[i]); });
  }
  static F32x16 load_bf16(const std::uint16_t* p) {
    return make([&](std::size_t i) { return bf16_to_f32(p[i]); });
  }
  static F32x16 load_i8(const std::int8_t* p) {
    return make([&](std::size_t i) { return static_cast<float>(p[i]); });
  }
  static F32x16 load_i32(const std::int32_t* p) {
    return make([&](std::size_t i) { return static_cast<float>(p[i]); });
  }
  // 16 bytes of two 4-bit codes each, to code - 8: the low codes, the high ones.
  static std::array<F32x16, 2> load_4_bits(const std::uint8_t* p) {
    return {make([&](std::size_t i) { return static_cast<float>((p[i] & 15) - 8); }),
            make([&](std::size_t i) { return static_cast<float>((p[i] >> 4) - 8); })};
  }
  // 32 codes less kZero: of bits of low[i] and, where `high` has any, others of high[i].
  template <BitField low, BitField high = BitField{}, int kZero = 0>
  static std::array<F32x16, 2> load_codes(const std::uint8_t* low_bits,
                                          const std::uint8_t* high_bits = nullptr) {
    const auto code = [&](std::size_t i) {
      int bits = low.of(low_bits[i]);
      if constexpr (high.n > 0) bits |= high.of(high_bits[i]);
      return static_cast<float>(bits - kZero);
    };
    return {make(code), make([&](std::size_t i) { return code(i + 16); })};
  }
  // The first n < 16 elements; the other lanes are 0 and their memory is not read.
  static F32x16 load(const float* p, std::size_t n) {
    return make([&](std::size_t i) { return i < n ? p[i] : 0.0F; });
  }
  static F32x16 load(const std::uint16_t* f16, std::size_t n) {
    return make([&](std::size_t i) { return i < n ? f16_to_f32(f16[i]) : 0.0F; });
  }
  static F32x16 load_bf16(const std::uint16_t* p, std::size_t n) {
    return make([&](std::size_t i) { return i < n ? bf16_to_f32(p[i]) : 0.0F; });
  }

  void store(float* p, std::size_t n = 16) const {
    for (std::size_t i = 0; i < n; ++i) p[i] = lane[i];
  }
  void store_f16(std::uint16_t* p, std::size_t n = 16) const {
    for (std::size_t i = 0; i < n; ++i) p[i] = f32_to_f16(lane[i]);
  }
  // Lanes hold whole numbers in [-128, 127].
  void store_i8(std::int8_t* p, std::size_t n = 16) const {
    for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<std::int8_t>(lane[i]);
  }
  // Lanes hold whole numbers in [-32768, 32767].
  void store_i16(std::int16_t* p) const {
    for (std::size_t i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(lane[i]);
  }

  friend F32x16 operator+(const F32x16& a, const F32x16& b) {
    return make([&](std::size_t i) { return a.lane[i] + b.lane[i]; });
  }
  friend F32x16 operator-(const F32x16& a, const F32x16& b) {
    return make([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
  }
  friend F32x16 operator*(const F32x16& a, const F32x16& b) {
    return make([&](std::size_t i) { return a.lane[i] * b.lane[i]; });
  }
  friend F32x16 operator/(const F32x16& a, const F32x16& b) {
    return make([&](std::size_t i) { return a.lane[i] / b.lane[i]; });
  }
};

// a * b + c, rounded once.
inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  F32x16 sum;
  for (std::size_t i = 0; i < 16; i += 4) fma_of_four(a.lane + i, b.lane + i, c.lane + i, sum.lane + i);
  return sum;
}

// As the MAXPS and MINPS instructions have it: the second operand where either is a NaN.
inline F32x16 max(const F32x16& a, const F32x16& b) {
  return F32x16::make([&](std::size_t i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 min(const F32x16& a, const F32x16& b) {
  return F32x16::make([&](std::size_t i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 abs(const F32x16& a) {
  return F32x16::make([&](std::size_t i) { return std::fabs(a.lane[i]); });
}

// To the nearest whole number, ties to even. For |a| < 2^22 (adding 1.5 * 2^23 leaves no fraction bits).
inline F32x16 round_even(const F32x16& a) {
  const F32x16 magic = F32x16::broadcast(0x1.8p23F);
  return (a + magic) - magic;
}

// 2^n for whole n in [-126, 127]: the bits of n + 1.5 * 2^23 end in n, which becomes the exponent. In
// unsigned arithmetic, so that a NaN, too, has one defined result.
inline F32x16 exp2_whole(const F32x16& n) {
  return F32x16::make([&](std::size_t i) {
    const std::uint32_t shifted = std::bit_cast<std::uint32_t>(n.lane[i] + 0x1.8p23F);
    return std::bit_cast<float>((shifted - (0x4B400000U - 127U)) << 23);
  });
}

// Lanes 2i and 2i+1 exchanged.
inline F32x16 swap_pairs(const F32x16& a) {
  return F32x16::make([&](std::size_t i) { return a.lane[i ^ 1U]; });
}
// Lane i of the first 8 to lanes 2i and 2i+1.
inline F32x16 duplicate_low(const F32x16& a) {
  return F32x16::make([&](std::size_t i) { return a.lane[i / 2]; });
}

// The canonical fold: (l, l+8), (l, l+4), (l, l+2), (l, l+1).
inline float reduce_add(F32x16 a) {
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) a.lane[i] = a.lane[i] + a.lane[i + half];
  }
  return a.lane[0];
}
inline void reduce_add_4(const F32x16 (&a)[4], float* out) {
  for (std::size_t k = 0; k < 4; ++k) out[k] = reduce_add(a[k]);
}
inline float reduce_max(F32x16 a) {
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i)
      a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
  }
  return a.lane[0];
}

}  // namespace bitnet::kernels::scalar
