#include "convert/huggingface/packed_rows.h"

#include <algorithm>
#include <array>

#include "quant/pairs.h"

namespace bitnet::convert {
namespace {

constexpr std::size_t kWordElements = 16;

}  // namespace

void unpack_row(std::span<const std::byte> bytes, unsigned which, std::uint32_t* words) {
  const unsigned bit = 2 * which;
  const std::size_t n_whole = bytes.size() / kWordElements;
  for (std::size_t i = 0; i < n_whole; ++i) words[i] = quant::pairs_at(bit, bytes.data() + i * kWordElements);
  const auto rest = bytes.subspan(n_whole * kWordElements);
  if (rest.empty()) return;
  std::array<std::byte, kWordElements> last{};
  std::ranges::copy(rest, last.begin());
  words[n_whole] = quant::pairs_at(bit, last.data());
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
