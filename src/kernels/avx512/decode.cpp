#include "kernels/avx512/ternary.h"

namespace bitnet::kernels::avx512 {
namespace {

// 16 codes, one a byte, to 16 floats through a table of 16: a byte shuffle costs the same for any codebook.
void store_values(__m128i codes, float* out) {
  const __m128i codebook = _mm_setr_epi8(-1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  _mm512_storeu_ps(out, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_shuffle_epi8(codebook, codes))));
}

}  // namespace

void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  const auto* group = reinterpret_cast<const std::uint8_t*>(w.data) + (row * w.cols + begin) / 4;
  const __m256i mask = _mm256_set1_epi8(3);
  for (std::size_t i = begin; i < end; i += 128) {
    const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group));
    const __m256i codes[4] = {_mm256_and_si256(_mm256_srli_epi16(packed, 6), mask),
                              _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
                              _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask),
                              _mm256_and_si256(packed, mask)};
    for (const __m256i& c : codes) {
      store_values(_mm256_castsi256_si128(c), out);
      store_values(_mm256_extracti128_si256(c, 1), out + 16);
      out += 32;
    }
    group += 32;
  }
}

}  // namespace bitnet::kernels::avx512
