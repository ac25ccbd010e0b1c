// The functions of pairs.h thirty-two bytes at a time: for processors that have AVX2, whatever the rest of
// the program is compiled for.
#pragma once

#ifdef __x86_64__

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define BITNET_AVX2 __attribute__((target("avx2")))

namespace bitnet::quant::avx2 {

inline bool is_there() { return __builtin_cpu_supports("avx2") != 0; }

// The lowest two bits of each byte, those of four bytes in sequence in each 32-bit lane.
BITNET_AVX2 inline __m256i gather_pairs(__m256i bytes) {
  const __m256i v = _mm256_and_si256(bytes, _mm256_set1_epi8(0x03));
  const __m256i nibbles = _mm256_maddubs_epi16(v, _mm256_set1_epi16(0x0401));
  return _mm256_madd_epi16(nibbles, _mm256_set1_epi32(0x00100001));
}

// Eight words, of what gather_pairs made of 128 bytes.
BITNET_AVX2 inline __m256i words_of_gathered(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i halves = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_permutevar8x32_epi32(halves, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

BITNET_AVX2 inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// Eight words of the codes that 128 bytes have at this bit and the next.
BITNET_AVX2 inline __m256i words_at(__m128i bit, const std::byte* bytes) {
  return words_of_gathered(gather_pairs(_mm256_srl_epi16(load(bytes), bit)),
                           gather_pairs(_mm256_srl_epi16(load(bytes + 32), bit)),
                           gather_pairs(_mm256_srl_epi16(load(bytes + 64), bit)),
                           gather_pairs(_mm256_srl_epi16(load(bytes + 96), bit)));
}

// Of whole groups of 128 bytes; returns how many bytes these are.
BITNET_AVX2 inline std::size_t read_row_of_pairs(unsigned bit, const std::byte* bytes, std::size_t n,
                                                 std::uint32_t* words) {
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(bit));
  std::size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + i / 16), words_at(shift, bytes + i));
  }
  return i;
}

// 128 codes of 32 bytes, the first of which are at bit `first`, the next `step` further, ...
template <int first, int step>
BITNET_AVX2 void read_pairs(const std::byte* in, std::uint32_t* words) {
  const __m256i bytes = load(in);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words),
                      words_of_gathered(gather_pairs(_mm256_srli_epi16(bytes, first)),
                                        gather_pairs(_mm256_srli_epi16(bytes, first + step)),
                                        gather_pairs(_mm256_srli_epi16(bytes, first + 2 * step)),
                                        gather_pairs(_mm256_srli_epi16(bytes, first + 3 * step))));
}

// Thirty-two codes of words 2 l and 2 l + 1, in the lowest two bits of a byte each.
template <int l>
BITNET_AVX2 inline __m256i scattered(__m256i words) {
  const __m256i both = _mm256_permutevar8x32_epi32(
      words, _mm256_setr_epi32(2 * l, 2 * l, 2 * l, 2 * l, 2 * l + 1, 2 * l + 1, 2 * l + 1, 2 * l + 1));
  // Lane i gets byte i, of sixteen codes' word.
  const __m256i bytes = _mm256_and_si256(
      _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 8, 16, 24, 0, 8, 16, 24)), _mm256_set1_epi32(0xFF));
  const __m256i nibbles =
      _mm256_and_si256(_mm256_or_si256(bytes, _mm256_slli_epi32(bytes, 12)), _mm256_set1_epi32(0x000F000F));
  return _mm256_and_si256(_mm256_or_si256(nibbles, _mm256_slli_epi16(nibbles, 6)), _mm256_set1_epi8(0x03));
}

template <int first, int step>
BITNET_AVX2 void write_pairs(const std::uint32_t* words, std::byte* out) {
  const __m256i w = load(words);
  const __m256i low = _mm256_or_si256(_mm256_slli_epi16(scattered<0>(w), first),
                                      _mm256_slli_epi16(scattered<1>(w), first + step));
  const __m256i high = _mm256_or_si256(_mm256_slli_epi16(scattered<2>(w), first + 2 * step),
                                       _mm256_slli_epi16(scattered<3>(w), first + 3 * step));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_or_si256(low, high));
}

}  // namespace bitnet::quant::avx2

#undef BITNET_AVX2

#endif
