#include "convert/huggingface/packed_rows.h"

#include <algorithm>
#include <array>
#include <bit>

#include "quant/pairs.h"

namespace bitnet::convert {
namespace {

constexpr std::size_t kStep = 64;  // elements
constexpr std::size_t kWordElements = 16;

}  // namespace

void unpack_row(std::span<const std::byte> bytes, unsigned which, std::uint32_t* words) {
  const unsigned bit = 2 * which;
  const std::size_t whole = quant::read_row_of_pairs(bit, bytes.data(), bytes.size(), words);
  const auto rest = bytes.subspan(whole);
  if (rest.empty()) return;
  std::array<std::byte, kStep> last{};
  std::array<std::uint32_t, kStep / kWordElements> last_words{};
  std::ranges::copy(rest, last.begin());
  quant::read_row_of_pairs(bit, last.data(), last.size(), last_words.data());
  std::copy_n(last_words.data(), (rest.size() + kWordElements - 1) / kWordElements,
              words + whole / kWordElements);
}

std::optional<Code3> find_code_3(std::span<const std::byte> bytes, unsigned begin, unsigned end) {
  unsigned low_bits = 0;
  for (unsigned which = begin; which < end; ++which) low_bits |= 1U << (2 * which);
  std::uint8_t found = 0;  // a loop over bytes that compilers turn into vectors
  for (const std::byte b : bytes) {
    const auto codes = std::to_integer<std::uint8_t>(b);
    found = static_cast<std::uint8_t>(found | (codes & codes >> 1));
  }
  if ((found & low_bits) == 0) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto codes = std::to_integer<unsigned>(bytes[i]);
    const unsigned threes = codes & codes >> 1 & low_bits;
    if (threes != 0) return Code3{i, static_cast<unsigned>(std::countr_zero(threes)) / 2};
  }
  return std::nullopt;
}

}  // namespace bitnet::convert
