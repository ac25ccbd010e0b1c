#include "kernels/avx512/limits.h"

#include <immintrin.h>

namespace bitnet::kernels::avx512 {

// On a Zen 5 asking ahead brings a tenth more; 1 KiB and 2.25 KiB did equally well, 4 KiB nothing.
static constexpr std::size_t kPrefetchBytes = 2048;

void read_all(const std::byte* data, std::size_t n) {
  // Four streams: one thread gets more out of the memory with several than with one.
  const std::size_t stream = n / 4 / 64 * 64;
  __m512i sum[4] = {};
  for (std::size_t at = 0; at < stream; at += 64) {
    for (std::size_t s = 0; s < 4; ++s) {
      const std::byte* line = data + s * stream + at;
      _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
      sum[s] = _mm512_xor_si512(sum[s], _mm512_loadu_si512(line));
    }
  }
  __m512i all = _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]), _mm512_xor_si512(sum[2], sum[3]));
  __asm__ volatile("" : "+v"(all));
}

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 16;  // independent sums: more than latency times rate of any processor
  __m512i sum[kChains] = {};
  const __m512i codes = _mm512_set1_epi8(1);
  const __m512i activations = _mm512_set1_epi8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (__m512i& s : sum) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(s) : "v"(codes), "v"(activations));
  }
  return static_cast<double>(rounds) * kChains * 64;
}

}  // namespace bitnet::kernels::avx512
