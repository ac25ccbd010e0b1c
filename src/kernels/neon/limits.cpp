#include "kernels/neon/limits.h"

#include <arm_neon.h>

#include <cstdint>

namespace bitnet::kernels::neon {

static constexpr std::size_t kPrefetchBytes = 1024;

void read_all(const std::byte* data, std::size_t n) {
  // Four streams: one thread gets more out of the memory with several than with one.
  const std::size_t stream = n / 4 / 64 * 64;
  uint8x16_t sum[4] = {vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)};
  for (std::size_t at = 0; at < stream; at += 64) {
    for (std::size_t s = 0; s < 4; ++s) {
      const auto* line = reinterpret_cast<const std::uint8_t*>(data + s * stream + at);
      __builtin_prefetch(line + kPrefetchBytes);
      for (std::size_t i = 0; i < 64; i += 16) sum[s] = veorq_u8(sum[s], vld1q_u8(line + i));
    }
  }
  uint8x16_t all = veorq_u8(veorq_u8(sum[0], sum[1]), veorq_u8(sum[2], sum[3]));
  __asm__ volatile("" : "+w"(all));
}

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 16;  // independent sums: more than latency times rate of any processor
  int16x8_t sum[kChains] = {};
  const int8x16_t codes = vdupq_n_s8(1);
  const int8x16_t activations = vdupq_n_s8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (int16x8_t& s : sum)
      __asm__ volatile("smlal2 %0.8h, %1.16b, %2.16b" : "+w"(s) : "w"(codes), "w"(activations));
  }
  return static_cast<double>(rounds) * kChains * 8;
}

}  // namespace bitnet::kernels::neon
