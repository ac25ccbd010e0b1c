// Codes of two bits in sequence, and as formats hold them whose neighbours are in neighbouring bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

}  // namespace bitnet::quant
