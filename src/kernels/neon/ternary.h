// Ternary products of I2_S weights with int8 activations, 128 bits at a time: what NEON and the dot products
// share.
//
// A group of 32 bytes is two vectors of 16 packed bytes with 4 x 16 codes each: shifted by 6, 4, 2, 0 and
// masked, those of vector h stand beside the activations from 32 k + 16 h on. Codes are 0, 1, 2; the sum of
// the activations comes off at the end, since code c stands for c - 1.
//
// The kernels (gemv.h, few_tokens.h, gemm.h, ...) are templates over the instructions that multiply, Dots,
// which has
//   Sum     of products whatever their places; it takes kBlock elements' before it is widened to 32 bits,
//   Quads   of each four neighbouring products, which belong to one 32-bit lane,
//   Row     of packed bytes and the activations of their four fields; it takes kBlock elements', too,
//   kPrefetchBytes: how far ahead of its use a line of weights is asked for in each stream.
// Functions that are no templates are static: files for other instructions include them too, and the linker
// must not pick their copy for processors without.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitnet::kernels::neon {

inline constexpr std::size_t kGroupBytes = 32;
inline constexpr std::size_t kVectorBytes = 16;

static inline uint8x16_t load_16(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
static inline int8x16_t load_16(const std::int8_t* p) { return vld1q_s8(p); }

// Codes k = 0..3 of each byte, in the order of the activations.
template <int k>
inline int8x16_t codes_of(uint8x16_t packed) {
  if constexpr (k == 0) {
    return vreinterpretq_s8_u8(vshrq_n_u8(packed, 6));
  } else if constexpr (k == 3) {
    return vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(3)));
  } else {
    return vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(packed, 6 - 2 * k), vdupq_n_u8(3)));
  }
}

// Products of one token's row from their sums: code c stands for c - 1. Always inlined, as others are static.
struct Finish {
  [[gnu::always_inline]] Finish(const quant::Matrix& w, const QuantizedRows& x, std::size_t token)
      : factor(w.scale / x.scale[token]), activation_sum(x.sum[token]) {}
  [[gnu::always_inline]] float operator()(int32x4_t sum) const {
    return factor * static_cast<float>(vaddvq_s32(sum) - activation_sum);
  }
  float factor;
  std::int32_t activation_sum;
};

static inline void prefetch(const void* p) { __builtin_prefetch(p); }

}  // namespace bitnet::kernels::neon
