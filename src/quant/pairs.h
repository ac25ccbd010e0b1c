// Codes of two bits in sequence, and as formats hold them whose neighbours are in neighbouring bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace bitnet::quant {

// Four bits of each of four 16-bit lanes, in sequence.
constexpr std::uint16_t gather_nibbles(std::uint64_t lanes) {
  lanes |= lanes >> 12;
  return static_cast<std::uint16_t>((lanes & 0xFF) | (lanes >> 24 & 0xFF00));
}

// The reverse.
constexpr std::uint64_t scatter_nibbles(std::uint16_t nibbles) {
  std::uint64_t lanes = nibbles;
  lanes = (lanes | lanes << 24) & 0x000000FF000000FF;
  return (lanes | lanes << 12) & 0x000F000F000F000F;
}

// The lowest two bits of each of eight bytes, in sequence.
constexpr std::uint16_t gather_pairs(std::uint64_t bytes) {
  bytes &= 0x0303030303030303;
  return gather_nibbles((bytes | bytes >> 6) & 0x000F000F000F000F);
}

// The reverse: the other bits are 0.
constexpr std::uint64_t scatter_pairs(std::uint16_t pairs) {
  const std::uint64_t lanes = scatter_nibbles(pairs);
  return (lanes | lanes << 6) & 0x0303030303030303;
}

// 128 codes in 32 bytes: that of element 32 l + m in byte m, at bits 2 l or, highest first, 6 - 2 l. In
// sequence they are eight words.
enum class PairOrder : std::uint8_t { lowest_first, highest_first };

template <PairOrder order>
constexpr unsigned shift_of_pair(unsigned l) {
  return order == PairOrder::lowest_first ? 2 * l : 6 - 2 * l;
}

#ifdef __SSE2__

// What follows goes sixteen bytes at a time, twice as fast as by the compiler's own means.

// The lowest two bits of each byte, those of four bytes in sequence in each 32-bit lane.
inline __m128i gather_pairs(__m128i bytes) {
  const __m128i v = _mm_and_si128(bytes, _mm_set1_epi8(0x03));
  // The products' high bytes are the first of two, and four times the second.
  const __m128i nibbles = _mm_srli_epi16(_mm_mullo_epi16(v, _mm_set1_epi16(0x0104)), 8);
  return _mm_madd_epi16(nibbles, _mm_set1_epi32(0x00100001));
}

// Four words, of what gather_pairs made of 64 bytes.
inline __m128i words_of_gathered(__m128i a, __m128i b, __m128i c, __m128i d) {
  return _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
}

// Those of all sixteen bytes in sequence.
inline std::uint32_t word_of_pairs(__m128i bytes) {
  const __m128i lanes = gather_pairs(bytes);
  const __m128i halves = _mm_packs_epi32(lanes, lanes);
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(halves, halves)));
}

// The reverse of gather_pairs: the other bits are 0.
inline __m128i scatter_pairs(__m128i lanes) {
  const __m128i v = _mm_and_si128(_mm_or_si128(lanes, _mm_slli_epi32(lanes, 12)), _mm_set1_epi32(0x000F000F));
  return _mm_and_si128(_mm_or_si128(v, _mm_slli_epi16(v, 6)), _mm_set1_epi8(0x03));
}

// What every processor of a kind can do; the functions below choose.
namespace everywhere {

// Four words of the codes that 64 bytes have at this bit and the next.
inline void read_pairs_at(unsigned bit, const std::byte* bytes, std::uint32_t* words) {
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(bit));
  const auto gathered = [&](unsigned i) {
    return gather_pairs(_mm_srl_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + i), shift));
  };
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words),
                   words_of_gathered(gathered(0), gathered(1), gathered(2), gathered(3)));
}

template <PairOrder order>
void read_pairs(const std::byte* in, std::uint32_t* words) {
  const __m128i bytes[2] = {_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)),
                            _mm_loadu_si128(reinterpret_cast<const __m128i*>(in) + 1)};
  const auto gathered = [&](unsigned i) {
    return gather_pairs(_mm_srli_epi16(bytes[i % 2], static_cast<int>(shift_of_pair<order>(i / 2))));
  };
  for (unsigned i = 0; i < 8; i += 4) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words + i),
                     words_of_gathered(gathered(i), gathered(i + 1), gathered(i + 2), gathered(i + 3)));
  }
}

template <PairOrder order>
void write_pairs(const std::uint32_t* words, std::byte* out) {
  const __m128i zero = _mm_setzero_si128();
  __m128i bytes[2] = {zero, zero};
  const auto scatter = [&](unsigned i, __m128i lanes) {
    const __m128i v = _mm_slli_epi16(scatter_pairs(lanes), static_cast<int>(shift_of_pair<order>(i / 2)));
    bytes[i % 2] = _mm_or_si128(bytes[i % 2], v);
  };
  for (unsigned i = 0; i < 8; i += 4) {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + i));
    const __m128i low = _mm_unpacklo_epi8(four, zero);
    const __m128i high = _mm_unpackhi_epi8(four, zero);
    scatter(i, _mm_unpacklo_epi16(low, zero));
    scatter(i + 1, _mm_unpackhi_epi16(low, zero));
    scatter(i + 2, _mm_unpacklo_epi16(high, zero));
    scatter(i + 3, _mm_unpackhi_epi16(high, zero));
  }
  for (unsigned i = 0; i < 2; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(out) + i, bytes[i]);
}

}  // namespace everywhere

#else

namespace everywhere {

inline void read_pairs_at(unsigned bit, const std::byte* bytes, std::uint32_t* words) {
  for (std::size_t i = 0; i < 4; ++i) {
    std::array<std::uint64_t, 2> all{};
    std::memcpy(all.data(), bytes + i * sizeof all, sizeof all);
    words[i] = std::uint32_t{gather_pairs(all[1] >> bit)} << 16 | gather_pairs(all[0] >> bit);
  }
}

template <PairOrder order>
void read_pairs(const std::byte* in, std::uint32_t* words) {
  std::array<std::uint64_t, 4> bytes;
  std::memcpy(bytes.data(), in, sizeof bytes);
  std::array<std::uint16_t, 16> out;
  for (unsigned l = 0; l < 4; ++l) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      out[l * bytes.size() + i] = gather_pairs(bytes[i] >> shift_of_pair<order>(l));
    }
  }
  std::memcpy(words, out.data(), sizeof out);
}

template <PairOrder order>
void write_pairs(const std::uint32_t* words, std::byte* out) {
  std::array<std::uint16_t, 16> in;
  std::memcpy(in.data(), words, sizeof in);
  std::array<std::uint64_t, 4> bytes{};
  for (unsigned l = 0; l < 4; ++l) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] |= scatter_pairs(in[l * bytes.size() + i]) << shift_of_pair<order>(l);
    }
  }
  std::memcpy(out, bytes.data(), sizeof bytes);
}

}  // namespace everywhere

#endif

// By AVX2 where the processor has it.
template <PairOrder order>
void read_pairs(const std::byte* in, std::uint32_t* words);
template <PairOrder order>
void write_pairs(const std::uint32_t* words, std::byte* out);
// The codes that bytes have at this bit and the next, in sequence, for whole groups of 64; returns how many
// bytes these are.
std::size_t read_row_of_pairs(unsigned bit, const std::byte* bytes, std::size_t n, std::uint32_t* words);

}  // namespace bitnet::quant
