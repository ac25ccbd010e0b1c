#include "convert/huggingface/packed_rows.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace bitnet::convert {
namespace {

constexpr std::size_t kWordElements = 16;
constexpr std::uint64_t kLowest = 0x0303030303030303U;

// The codes of sixteen bytes, side by side. Those of the second eight go through the same steps four bits
// above those of the first.
std::uint32_t gather(const std::byte* from, unsigned shift) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&second, from + sizeof first, sizeof second);
  std::uint64_t codes = ((first >> shift) & kLowest) | ((second >> shift) & kLowest) << 4;
  codes = (codes | codes >> 6) & 0x00FF00FF00FF00FFU;  // four bits of each half in every second byte
  std::uint64_t low = codes & 0x000F000F000F000FU;
  std::uint64_t high = codes >> 4 & 0x000F000F000F000FU;
  low = (low | low >> 12) & 0x000000FF000000FFU;
  high = (high | high >> 12) & 0x000000FF000000FFU;
  low |= low >> 24;
  high |= high >> 24;
  return static_cast<std::uint32_t>((low & 0xFFFFU) | (high & 0xFFFFU) << 16);
}

}  // namespace

void unpack_row(std::span<const std::byte> bytes, unsigned which, std::uint32_t* words) {
  const unsigned shift = 2 * which;
  const std::size_t n_whole = bytes.size() / kWordElements;
  for (std::size_t i = 0; i < n_whole; ++i) words[i] = gather(bytes.data() + i * kWordElements, shift);
  const auto rest = bytes.subspan(n_whole * kWordElements);
  if (rest.empty()) return;
  std::array<std::byte, kWordElements> last{};
  std::ranges::copy(rest, last.begin());
  words[n_whole] = gather(last.data(), shift);
}

std::optional<std::size_t> find_code_3(std::span<const std::byte> bytes, unsigned which) {
  const auto low_bit = static_cast<std::uint8_t>(1U << (2 * which));
  const auto is_3 = [&](std::byte b) {
    const auto code = std::to_integer<unsigned>(b);
    return (code & code >> 1 & low_bit) != 0;
  };
  std::uint8_t found = 0;  // a loop over bytes that compilers turn into vectors
  for (const std::byte b : bytes) {
    const auto code = std::to_integer<std::uint8_t>(b);
    found = static_cast<std::uint8_t>(found | (code & code >> 1));
  }
  if ((found & low_bit) == 0) return std::nullopt;
  return static_cast<std::size_t>(std::ranges::find_if(bytes, is_3) - bytes.begin());
}

}  // namespace bitnet::convert
