#include <immintrin.h>

#include "machine_limits.h"

namespace bitnet::bench {

void read_all(std::span<const std::byte> array) {
  // Four streams: one thread gets more out of the memory with several than with one.
  const std::size_t stream = array.size() / 4 / 128 * 128;
  __m256i sum[4] = {};
  for (std::size_t at = 0; at < stream; at += 64) {
    for (std::size_t s = 0; s < 4; ++s) {
      const auto* p = reinterpret_cast<const __m256i*>(array.data() + s * stream + at);
      sum[s] = _mm256_xor_si256(sum[s], _mm256_xor_si256(_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)));
    }
  }
  __m256i all = _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  __asm__ volatile("" : "+x"(all));
}

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 12;
  __m256i sum[kChains] = {};
  __m256i codes = _mm256_set1_epi8(1);
  __m256i activations = _mm256_set1_epi8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (__m256i& s : sum) {
      __asm__ volatile("" : "+x"(codes), "+x"(activations));  // each product anew, not one for all
      s = _mm256_add_epi16(s, _mm256_maddubs_epi16(codes, activations));
    }
  }
  for (__m256i& s : sum) __asm__ volatile("" : "+x"(s));
  return static_cast<double>(rounds) * kChains * 32;
}

}  // namespace bitnet::bench
