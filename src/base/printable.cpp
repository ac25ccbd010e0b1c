#include "base/printable.h"

#include <array>
#include <cstdint>

namespace bitnet {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t n_bytes = 0;  // 0: not valid UTF-8
};

// The code point `text` begins with (RFC 3629: shortest form, no surrogates, at most U+10FFFF).
CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t n_bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || n_bytes > text.size()) return {};
  char32_t value = lead & (0x7Fu >> n_bytes);
  for (std::size_t i = 1; i < n_bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[n_bytes] || (value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF) return {};
  return {value, n_bytes};
}

// Would change the terminal's state, the line or the order of what is seen, or not be seen at all.
bool is_unsafe(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\\':
      out += "\\\\";
      break;
    default: {
      const auto byte = static_cast<std::uint8_t>(c);
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15u];
    }
  }
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_chars) {
  constexpr std::string_view kCut = "...";
  std::string out;
  std::size_t n_chars = 0;
  std::size_t cut_at = 0;  // size of `out` at the last character after which the cut mark still fits
  while (!text.empty()) {
    const CodePoint c = decode(text);
    const std::size_t n_bytes = c.n_bytes == 0 ? 1 : c.n_bytes;
    const std::size_t before = out.size();
    if (c.n_bytes == 0 || is_unsafe(c.value) || c.value == '\\') {
      for (const char byte : text.substr(0, n_bytes)) append_escaped(out, byte);
      n_chars += out.size() - before;  // escapes are ASCII
    } else {
      out += text.substr(0, n_bytes);
      ++n_chars;
    }
    if (n_chars > max_chars) {
      out.resize(cut_at);
      return out.append(kCut.substr(0, max_chars));
    }
    if (n_chars + kCut.size() <= max_chars) cut_at = out.size();
    text.remove_prefix(n_bytes);
  }
  return out;
}

}  // namespace bitnet
