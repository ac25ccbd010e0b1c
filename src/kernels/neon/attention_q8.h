// Sums of products of 16-bit and 8-bit whole numbers for attention over int8 keys and values
// (generic/attention_q8.h). SMLAL adds products of 16 bits to 32.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/generic/attention_q8.h"
#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::neon {

struct LongDots {
  template <std::size_t N>
  static void score(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                    std::size_t head_dim, std::size_t n, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    std::size_t j = 0;
    for (; j + 2 <= n; j += 2) score_tile<N, 2>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
    if (j < n) score_tile<N, 1>(q, q_stride, keys + j * head_dim, head_dim, j, sums);
  }

  template <std::size_t N>
  static void mix(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                  std::size_t n, const std::byte* ahead, std::int32_t (&sums)[N][generic::kStripe]) {
    for (std::size_t i = 0; i < generic::kStripe; i += 16)
      mix_16<N>(codes, values + i, stride, n, ahead == nullptr ? nullptr : ahead + i * kKeyBlock, sums, i);
  }

 private:
  static int32x4_t add_products(int32x4_t sum, int16x8_t a, int16x8_t b) {
    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)), a, b);
  }

  // Two keys at a time hide the additions' latency.
  template <std::size_t N, std::size_t K>
  static void score_tile(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                         std::size_t head_dim, std::size_t j, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    int32x4_t sum[N][K];
    generic::for_each<N, K>([&](auto h, auto k) { sum[h][k] = vdupq_n_s32(0); });
    for (std::size_t i = 0; i < q_stride; i += 16) {
      int16x8_t key[K][2];
      generic::unrolled<K>([&](auto k) {
        const int8x16_t bytes = vld1q_s8(keys + k * head_dim + i);
        key[k][0] = vmovl_s8(vget_low_s8(bytes));
        key[k][1] = vmovl_high_s8(bytes);
      });
      generic::for_each<N, 2>([&](auto h, auto half) __attribute__((always_inline)) {
        const int16x8_t query = vld1q_s16(q + h * q_stride + i + 8 * half);
        generic::unrolled<K>([&](auto k) { sum[h][k] = add_products(sum[h][k], key[k][half], query); });
      });
    }
    generic::for_each<N, K>([&](auto h, auto k) { sums[h][j + k] = vaddvq_s32(sum[h][k]); });
  }

  // Values [i, i + 16) of the stripe. Sixteen sums, a value widened and the weights fit the 32 registers.
  template <std::size_t N>
  static void mix_16(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                     std::size_t n, const std::byte* ahead, std::int32_t (&sums)[N][generic::kStripe],
                     std::size_t i) {
    int32x4_t sum[N][4];
    generic::for_each<N, 4>([&](auto h, auto part) { sum[h][part] = vdupq_n_s32(0); });
    for (std::size_t j = 0; j < n; ++j) {
      if (ahead != nullptr && j % 4 == 0) generic::prefetch(ahead + 16 * j, 64);
      const int8x16_t bytes = vld1q_s8(values + j * stride);
      const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
      const int16x8_t high = vmovl_high_s8(bytes);
      generic::unrolled<N>([&](auto h) __attribute__((always_inline)) {
        const std::int16_t weight = codes[h][j];
        sum[h][0] = vmlal_n_s16(sum[h][0], vget_low_s16(low), weight);
        sum[h][1] = vmlal_high_n_s16(sum[h][1], low, weight);
        sum[h][2] = vmlal_n_s16(sum[h][2], vget_low_s16(high), weight);
        sum[h][3] = vmlal_high_n_s16(sum[h][3], high, weight);
      });
    }
    generic::for_each<N, 4>([&](auto h, auto part) { vst1q_s32(sums[h] + i + 4 * part, sum[h][part]); });
  }
};

}  // namespace bitnet::kernels::neon
