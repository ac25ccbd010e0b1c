// Codes 0, 1, 2 as the digits of a fraction: byte b stands for b / 256, and the digits are those of its
// expansion in base 3, the first of them the leading one. Five fit a byte. Formats hold the first digit of
// all bytes of a run, then the second of all, and so on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "quant/pairs.h"

namespace bitnet::quant::base3 {

// The byte of a number of five digits: the least one whose expansion begins with them.
constexpr std::uint8_t byte_of(std::uint32_t number) {
  constexpr std::uint32_t kNumbers = 3 * 3 * 3 * 3 * 3;
  return static_cast<std::uint8_t>((number * 256 + kNumbers - 1) / kNumbers);
}

// Eight bytes at a time, as numbers of 16 bits: those with even places and those with odd ones.
struct Eight {
  static constexpr std::size_t kBytes = 8;
  static constexpr std::uint64_t kFractions = 0x00FF00FF00FF00FF;
  static constexpr std::uint64_t kLowDigits = 0x0003000300030003;

  // n bytes, and zeros up to eight.
  static Eight load(const std::byte* bytes, std::size_t n = kBytes) {
    std::uint64_t all = 0;
    std::memcpy(&all, bytes, n);
    return {all & kFractions, all >> 8 & kFractions};
  }

  // The next digit of each, 2 bits from the lowest on in their order.
  std::uint16_t next() {
    even *= 3;  // a digit, and the fraction that is left
    odd *= 3;
    const std::uint64_t pairs = (even >> 8 & kLowDigits) | (odd >> 8 & kLowDigits) << 2;
    even &= kFractions;
    odd &= kFractions;
    return gather_nibbles(pairs);
  }

  // Appends a digit to each, which then are whole numbers.
  void append(std::uint16_t digits) {
    const std::uint64_t pairs = scatter_nibbles(digits);
    even = even * 3 + (pairs & kLowDigits);
    odd = odd * 3 + (pairs >> 2 & kLowDigits);
  }

  // The reverse of load, of numbers that five digits were appended to.
  void store(std::byte* bytes, std::size_t n = kBytes) const {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t lanes = i % 2 == 0 ? even : odd;
      bytes[i] = std::byte{byte_of(lanes >> (16 * (i / 2)) & 0xFF)};
    }
  }

  std::uint64_t even = 0;
  std::uint64_t odd = 0;
};

#ifdef __SSE2__

// Sixteen likewise.
struct Sixteen {
  static constexpr std::size_t kBytes = 16;

  static Sixteen load(const std::byte* bytes) {
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    return {_mm_and_si128(all, _mm_set1_epi16(0x00FF)), _mm_srli_epi16(all, 8)};
  }

  std::uint32_t next() {
    even = times_3(even);
    odd = times_3(odd);
    const __m128i digits =
        _mm_or_si128(_mm_srli_epi16(even, 8), _mm_andnot_si128(_mm_set1_epi16(0x00FF), odd));
    even = _mm_and_si128(even, _mm_set1_epi16(0x00FF));
    odd = _mm_and_si128(odd, _mm_set1_epi16(0x00FF));
    return word_of_pairs(digits);
  }

  void append(std::uint32_t digits) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i bytes = _mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int>(digits)), zero);
    const __m128i added = scatter_pairs(_mm_unpacklo_epi16(bytes, zero));
    even = _mm_add_epi16(times_3(even), _mm_and_si128(added, _mm_set1_epi16(0x00FF)));
    odd = _mm_add_epi16(times_3(odd), _mm_srli_epi16(added, 8));
  }

  void store(std::byte* bytes) const {
    const __m128i all = _mm_or_si128(bytes_of(even), _mm_slli_epi16(bytes_of(odd), 8));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), all);
  }

  __m128i even = _mm_setzero_si128();
  __m128i odd = _mm_setzero_si128();

 private:
  static __m128i times_3(__m128i numbers) { return _mm_add_epi16(numbers, _mm_add_epi16(numbers, numbers)); }
  // byte_of: 34522 is 2^23 / 243, rounded up, which divides every such number as it should be.
  static __m128i bytes_of(__m128i numbers) {
    const __m128i scaled = _mm_add_epi16(_mm_slli_epi16(numbers, 8), _mm_set1_epi16(242));
    return _mm_srli_epi16(_mm_mulhi_epu16(scaled, _mm_set1_epi16(static_cast<short>(34522))), 7);
  }
};

// As many at a time as divide a run.
template <std::size_t kBytes>
using Lanes = std::conditional_t<kBytes % Sixteen::kBytes == 0, Sixteen, Eight>;

#else

template <std::size_t kBytes>
using Lanes = Eight;

#endif

// The digits of kBytes bytes, a multiple of 8, kDigits of each, as codes of two bits in sequence: eight to an
// element of `out`.
template <std::size_t kBytes, std::size_t kDigits>
void read(const std::byte* bytes, std::uint16_t* out) {
  static_assert(kBytes % Eight::kBytes == 0 && kDigits <= 5);
  using Part = Lanes<kBytes>;
  std::array<Part, kBytes / Part::kBytes> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = Part::load(bytes + Part::kBytes * i);
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    for (Part& part : parts) {
      const auto codes = part.next();
      std::memcpy(out, &codes, sizeof codes);
      out += Part::kBytes / Eight::kBytes;
    }
  }
}

// The same of less than eight bytes, four digits of each: the codes as one number.
template <std::size_t kBytes>
std::uint32_t read_rest(const std::byte* bytes) {
  static_assert(kBytes <= 4);
  Eight eight = Eight::load(bytes, kBytes);
  std::uint32_t codes = 0;
  for (unsigned digit = 0; digit < 4; ++digit) codes |= std::uint32_t{eight.next()} << (2 * kBytes * digit);
  return codes;
}

// The reverse of read, of five digits. Codes are 0, 1 or 2.
template <std::size_t kBytes>
void write(const std::uint16_t* codes, std::byte* bytes) {
  static_assert(kBytes % Eight::kBytes == 0);
  using Part = Lanes<kBytes>;
  std::array<Part, kBytes / Part::kBytes> parts{};
  for (std::size_t digit = 0; digit < 5; ++digit) {
    for (Part& part : parts) {
      decltype(part.next()) digits;
      std::memcpy(&digits, codes, sizeof digits);
      part.append(digits);
      codes += Part::kBytes / Eight::kBytes;
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].store(bytes + Part::kBytes * i);
}

// The reverse of read_rest: the fifth digit is 0.
template <std::size_t kBytes>
void write_rest(std::uint32_t codes, std::byte* bytes) {
  static_assert(kBytes <= 4);
  constexpr std::uint32_t kMask = (1U << 2 * kBytes) - 1;
  Eight eight;
  for (unsigned digit = 0; digit < 4; ++digit) {
    eight.append(static_cast<std::uint16_t>(codes >> (2 * kBytes * digit) & kMask));
  }
  eight.append(0);
  eight.store(bytes, kBytes);
}

}  // namespace bitnet::quant::base3
