#include "convert/huggingface/packed_rows.h"

#include <algorithm>
#include <cstring>

namespace bitnet::convert {
namespace {

constexpr std::uint64_t kLowest = 0x0303030303030303U;

std::uint64_t load(const std::byte* from, std::size_t n) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, n);
  return word;
}

// The lowest two bits of eight bytes, side by side.
std::uint32_t gather(std::uint64_t bytes) {
  bytes &= kLowest;
  bytes = (bytes | (bytes >> 6)) & 0x000F000F000F000FU;
  bytes = (bytes | (bytes >> 12)) & 0x000000FF000000FFU;
  return static_cast<std::uint32_t>((bytes | (bytes >> 24)) & 0xFFFFU);
}

}  // namespace

void unpack_row(std::span<const std::byte> bytes, unsigned which, std::uint32_t* words) {
  const unsigned shift = 2 * which;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    const std::size_t left = bytes.size() - at;
    const std::uint64_t low = load(&bytes[at], std::min<std::size_t>(left, 8));
    const std::uint64_t high = left > 8 ? load(&bytes[at + 8], std::min<std::size_t>(left - 8, 8)) : 0;
    *words++ = gather(low >> shift) | gather(high >> shift) << 16;
  }
}

std::optional<std::size_t> find_code_3(std::span<const std::byte> bytes, unsigned which) {
  const unsigned shift = 2 * which;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const std::size_t n = std::min<std::size_t>(bytes.size() - at, 8);
    const std::uint64_t codes = (load(&bytes[at], n) >> shift) & kLowest;
    if ((codes & (codes >> 1) & 0x0101010101010101U) == 0) continue;
    for (std::size_t i = 0; i < n; ++i) {
      if (((codes >> (8 * i)) & 3U) == 3U) return at + i;
    }
  }
  return std::nullopt;
}

}  // namespace bitnet::convert
