#include "tokenizer/byte_token.h"

#include <array>
#include <string>

namespace bitnet {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

}  // namespace

std::optional<unsigned char> parse_byte_token(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling.back() != '>') return std::nullopt;
  const std::size_t high = kDigits.find(spelling[3]);
  const std::size_t low = kDigits.find(spelling[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned char>(high << 4 | low);
}

UsageError no_token_for_byte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  const std::array<char, 2> digits = {kDigits[value >> 4], kDigits[value & 15U]};
  const bool is_printable = value > ' ' && value <= '~';
  return UsageError(
      "the vocabulary has no token for byte 0x" + std::string(digits.data(), digits.size()) +
      (is_printable ? std::string(" ('") + byte + "')" : std::string()) +
      " of the text or of the chat template; leave it out, use another model, or give run or trace "
      "token ids with --ids");
}

}  // namespace bitnet
