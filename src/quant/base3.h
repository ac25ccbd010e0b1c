// Codes 0, 1, 2 as the digits of a fraction: byte b stands for b / 256, and the digits are those of its
// expansion in base 3, the first of them the leading one. Five fit a byte. Formats hold the first digit of
// all bytes of a run, then the second of all, and so on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/pairs.h"

namespace bitnet::quant::base3 {

// Eight bytes at a time, as numbers of 16 bits: those with even places and those with odd ones.
struct Eight {
  static constexpr std::uint64_t kFractions = 0x00FF00FF00FF00FF;
  static constexpr std::uint64_t kDigits = 0x0003000300030003;

  std::uint64_t even = 0;
  std::uint64_t odd = 0;

  // The next digit of each, 2 bits from the lowest on in their order.
  std::uint16_t next() {
    even *= 3;  // a digit, and the fraction that is left
    odd *= 3;
    std::uint64_t pairs = (even >> 8 & kDigits) | (odd >> 8 & kDigits) << 2;
    even &= kFractions;
    odd &= kFractions;
    return gather_nibbles(pairs);
  }

  // Appends a digit to each, which then are whole numbers.
  void append(std::uint16_t digits) {
    const std::uint64_t pairs = scatter_nibbles(digits);
    even = even * 3 + (pairs & kDigits);
    odd = odd * 3 + (pairs >> 2 & kDigits);
  }
};

inline Eight load(const std::byte* bytes, std::size_t n) {
  std::uint64_t all = 0;
  std::memcpy(&all, bytes, n);
  return {all & Eight::kFractions, all >> 8 & Eight::kFractions};
}

// The digits of kBytes bytes, a multiple of 8, kDigits of each, as codes of two bits in sequence: eight to an
// element of `out`.
template <std::size_t kBytes, std::size_t kDigits>
void read(const std::byte* bytes, std::uint16_t* out) {
  static_assert(kBytes % 8 == 0 && kDigits <= 5);
  std::array<Eight, kBytes / 8> eights;
  for (std::size_t i = 0; i < eights.size(); ++i) eights[i] = load(bytes + 8 * i, 8);
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    for (Eight& eight : eights) *out++ = eight.next();
  }
}

// The same of less than eight bytes, four digits of each: the codes as one number.
template <std::size_t kBytes>
std::uint32_t read_rest(const std::byte* bytes) {
  static_assert(kBytes <= 4);
  Eight eight = load(bytes, kBytes);
  std::uint32_t codes = 0;
  for (unsigned digit = 0; digit < 4; ++digit) codes |= std::uint32_t{eight.next()} << (2 * kBytes * digit);
  return codes;
}

// The byte of a number of five digits: the least one whose expansion begins with them.
inline constexpr std::array<std::uint8_t, 256> kByteOf = [] {
  constexpr std::size_t kNumbers = 3 * 3 * 3 * 3 * 3;
  std::array<std::uint8_t, 256> bytes{};
  for (std::size_t i = 0; i < kNumbers; ++i) {
    bytes[i] = static_cast<std::uint8_t>((i * 256 + kNumbers - 1) / kNumbers);
  }
  return bytes;
}();

// The reverse of load, of numbers that five digits were appended to.
inline void store(const Eight& numbers, std::size_t n, std::byte* bytes) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t lanes = i % 2 == 0 ? numbers.even : numbers.odd;
    bytes[i] = std::byte{kByteOf[lanes >> (16 * (i / 2)) & 0xFF]};
  }
}

// The reverse of read, of five digits. Codes are 0, 1 or 2.
template <std::size_t kBytes>
void write(const std::uint16_t* codes, std::byte* bytes) {
  static_assert(kBytes % 8 == 0);
  std::array<Eight, kBytes / 8> eights{};
  for (std::size_t digit = 0; digit < 5; ++digit) {
    for (Eight& eight : eights) eight.append(*codes++);
  }
  for (std::size_t i = 0; i < eights.size(); ++i) store(eights[i], 8, bytes + 8 * i);
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
  store(eight, kBytes, bytes);
}

}  // namespace bitnet::quant::base3
