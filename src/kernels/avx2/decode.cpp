#include "kernels/avx2/decode.h"

#include "kernels/avx2/ternary.h"

namespace bitnet::kernels::avx2 {
namespace {

// 32 codes, one a byte, to 32 floats. A byte shuffle is a table of 16 entries, so any codebook of four values
// costs the same as this one.
void store_values(__m256i codes, float* out) {
  const __m256i codebook =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i values = _mm256_shuffle_epi8(codebook, codes);
  const __m128i low = _mm256_castsi256_si128(values);
  const __m128i high = _mm256_extracti128_si256(values, 1);
  const auto store_8 = [](__m128i bytes, float* to) {
    _mm256_storeu_ps(to, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
  };
  store_8(low, out);
  store_8(_mm_srli_si128(low, 8), out + 8);
  store_8(high, out + 16);
  store_8(_mm_srli_si128(high, 8), out + 24);
}

}  // namespace

void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  const auto* group = reinterpret_cast<const std::uint8_t*>(w.data) + (row * w.cols + begin) / 4;
  for (std::size_t i = begin; i < end; i += 128) {
    const Codes c = unpack(group);
    for (const __m256i& codes : c.of) {
      store_values(codes, out);
      out += 32;
    }
    group += 32;
  }
}

}  // namespace bitnet::kernels::avx2
