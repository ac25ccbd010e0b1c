#include "kernels/avx2/limits.h"

#include <immintrin.h>

namespace bitnet::kernels::avx2 {

static constexpr std::size_t kPrefetchBytes = 2048;  // as far ahead as read_all with 512 bits

void read_all(const std::byte* data, std::size_t n) {
  // Four streams: one thread gets more out of the memory with several than with one.
  const std::size_t stream = n / 4 / 64 * 64;
  __m256i sum[4] = {};
  for (std::size_t at = 0; at < stream; at += 64) {
    for (std::size_t s = 0; s < 4; ++s) {
      const auto* p = reinterpret_cast<const __m256i*>(data + s * stream + at);
      _mm_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes, _MM_HINT_T0);
      sum[s] = _mm256_xor_si256(sum[s], _mm256_xor_si256(_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)));
    }
  }
  __m256i all = _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  __asm__ volatile("" : "+x"(all));
}

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 8;  // independent sums, which fit the registers with room for products
  __m256i sum[kChains] = {};
  const __m256i codes = _mm256_set1_epi8(1);
  const __m256i activations = _mm256_set1_epi8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (__m256i& s : sum) {
      __m256i product;  // each anew: the compiler would make one for all
      __asm__ volatile("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0"
                       : "+x"(s), "=&x"(product)
                       : "x"(codes), "x"(activations));
    }
  }
  return static_cast<double>(rounds) * kChains * 32;
}

}  // namespace bitnet::kernels::avx2
