#include "cli/options/escapes.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kLetters = "ntrabfve\\'\"";
constexpr std::string_view kMeanings = "\n\t\r\a\b\f\v\x1b\\'\"";

// The next `n_digits` hexadecimal digits.
std::optional<std::uint32_t> hex_at(std::string_view text, std::size_t at, std::size_t n_digits) {
  if (at > text.size() || text.size() - at < n_digits) return std::nullopt;
  const std::string_view digits = text.substr(at, n_digits);
  if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return std::nullopt;
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

bool is_surrogate(std::uint32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

// Appends what stands for the escape at text[at], a backslash, and returns how long that is; 0: it is none.
std::size_t append_escape(std::string& out, std::string_view text, std::size_t at) {
  if (at + 1 == text.size()) return 0;
  const char kind = text[at + 1];
  if (const std::size_t i = kLetters.find(kind); i != std::string_view::npos) {
    out += kMeanings[i];
    return 2;
  }
  const std::size_t n_digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  if (n_digits == 0) return 0;
  std::size_t length = 2 + n_digits;
  std::optional<std::uint32_t> value = hex_at(text, at + 2, n_digits);
  if (!value) return 0;
  if (kind == 'x') {
    out += static_cast<char>(static_cast<unsigned char>(*value));
    return length;
  }
  if (kind == 'u' && *value >= 0xD800 && *value < 0xDC00 && text.substr(at + length, 2) == "\\u") {
    const std::optional<std::uint32_t> low = hex_at(text, at + length + 2, 4);
    if (!low || *low < 0xDC00 || *low > 0xDFFF) return 0;
    value = 0x10000 + ((*value - 0xD800) << 10) + (*low - 0xDC00);
    length += 6;
  }
  if (is_surrogate(*value) || *value > 0x10FFFF) return 0;
  append_utf8(out, *value);
  return length;
}

}  // namespace

std::string unescape(std::string_view text, const std::string& source) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
    const std::size_t length = append_escape(out, text, at);
    if (length == 0) {
      throw UsageError(source + ": '" + std::string(text.substr(at, 6)) + "' at byte " + std::to_string(at) +
                       R"( is no escape; with -e there are \n \t \r \\ \" \' \e \xNN \uNNNN \UNNNNNNNN)");
    }
    at += length;
  }
  return out;
}

}  // namespace bitnet::cli
