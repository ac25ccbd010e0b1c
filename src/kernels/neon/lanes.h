// Products of codes in lanes, 128 bits at a time: four rows, so that a group is four vectors. Dots says how
// products are added up (ternary.h).
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/generic/matmul_lanes.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {

template <typename Dots>
struct Lanes {
  using Int = int32x4_t;
  using Float = float32x4_t;

  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kParts = 4;
  static constexpr std::size_t kPrefetchBytes = 2 * Dots::kPrefetchBytes;
  static constexpr std::size_t kPanelGroups = 0;
  static constexpr std::size_t kGroupsOfTile = 1;

  static Int load(const std::byte* p) { return vreinterpretq_s32_u8(load_16(p)); }
  template <int n>
  static Int right(Int v) {
    if constexpr (n == 0) {
      return v;
    } else {
      return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), n));
    }
  }
  template <int n>
  static Int left(Int v) {
    return vshlq_n_s32(v, n);
  }
  static Int bits(Int v, char mask) {
    return vandq_s32(v, vreinterpretq_s32_u8(vdupq_n_u8(static_cast<std::uint8_t>(mask))));
  }
  static Int look_up(Int table, Int codes) {
    return vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(table), vreinterpretq_u8_s32(codes)));
  }
  static Int broadcast(std::int32_t v) { return vdupq_n_s32(v); }

  static Float broadcast(float v) { return vdupq_n_f32(v); }
  static Float load_f16(const std::byte* p) {
    std::uint16_t halves[4];
    std::memcpy(halves, p, sizeof halves);
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)));
  }
  static Float to_float(Int v) { return vcvtq_f32_s32(v); }
  static Float multiply(Float a, Float b) { return vmulq_f32(a, b); }
  static Float multiply_add(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
  static void store(float* p, Float v, std::size_t n) {
    if (n == kLanes) return vst1q_f32(p, v);
    float all[kLanes];
    vst1q_f32(all, v);
    std::memcpy(p, all, n * sizeof *p);
  }
};

}  // namespace bitnet::kernels::neon
