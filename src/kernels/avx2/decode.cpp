#include "kernels/avx2/decode.h"

#include <immintrin.h>

#include "kernels/codes.h"

namespace bitnet::kernels::avx2 {
namespace {

// A permutation within 128 bits looks at the low two bits of each lane only: it is a table of four floats,
// and the code needs no mask.
__m256 load_codebook(const float* codebook) {
  return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(codebook));
}

}  // namespace

void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  const auto* group = reinterpret_cast<const std::uint8_t*>(w.data) + (row * w.cols + begin) / 4;
  const __m256 codebook = load_codebook(kTernaryCodebook);
  for (std::size_t i = begin; i < end; i += 128) {
    for (std::size_t j = 0; j < 32; j += 8) {
      const __m256i bytes =
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(group + j)));
      _mm256_storeu_ps(out + j, _mm256_permutevar_ps(codebook, _mm256_srli_epi32(bytes, 6)));
      _mm256_storeu_ps(out + 32 + j, _mm256_permutevar_ps(codebook, _mm256_srli_epi32(bytes, 4)));
      _mm256_storeu_ps(out + 64 + j, _mm256_permutevar_ps(codebook, _mm256_srli_epi32(bytes, 2)));
      _mm256_storeu_ps(out + 96 + j, _mm256_permutevar_ps(codebook, bytes));
    }
    group += 32;
    out += 128;
  }
}

}  // namespace bitnet::kernels::avx2
