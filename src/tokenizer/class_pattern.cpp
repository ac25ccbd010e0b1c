#include "tokenizer/class_pattern.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "tokenizer/unicode_class.h"
#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

constexpr char kFirstClassByte = '\x80';  // of UnicodeClass::other; the others follow in the enum's order
constexpr char kLongSByte = '\x85';
constexpr char32_t kLongS = 0x17F;
constexpr std::string_view kLongSInUtf8 = "\xC5\xBF";

constexpr char class_byte(UnicodeClass c) {
  return static_cast<char>(static_cast<unsigned char>(kFirstClassByte) + static_cast<unsigned>(c));
}
static_assert(class_byte(UnicodeClass::space) < kLongSByte);

// What stands for a property, to be put between brackets.
struct Property {
  std::string_view escape;
  std::string_view members;
  bool negated = false;
};
constexpr std::array<Property, 5> kProperties = {{
    {R"(\p{L})", "A-Za-z\x81\x85"},
    {R"(\p{M})", "\x82"},
    {R"(\p{N})", "0-9\x83"},
    {R"(\s)", "\t-\r \x84"},
    {R"(\S)", "\t-\r \x84", true},
}};
static_assert(class_byte(UnicodeClass::letter) == '\x81' && class_byte(UnicodeClass::mark) == '\x82' &&
              class_byte(UnicodeClass::number) == '\x83' && class_byte(UnicodeClass::space) == '\x84');

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

std::string class_pattern(std::string_view expression) {
  std::string out;
  bool in_brackets = false;
  while (!expression.empty()) {
    const auto property = std::ranges::find_if(
        kProperties, [&](const Property& p) { return expression.starts_with(p.escape); });
    if (property != kProperties.end()) {
      assert(!(in_brackets && property->negated));
      if (!in_brackets) out += property->negated ? "[^" : "[";
      out += property->members;
      if (!in_brackets) out += ']';
      expression.remove_prefix(property->escape.size());
    } else if (expression.starts_with(kLongSInUtf8)) {
      out += kLongSByte;
      expression.remove_prefix(kLongSInUtf8.size());
    } else {
      const std::size_t length = expression.front() == '\\' ? 2 : 1;
      if (expression.front() == '[') in_brackets = true;
      if (expression.front() == ']') in_brackets = false;
      out += expression.substr(0, length);
      expression.remove_prefix(length);
    }
  }
  return out;
}

std::size_t append_class_bytes(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t ascii = ascii_prefix(text.substr(at));
    out += text.substr(at, ascii);
    at += ascii;
    // Other scripts seldom come one character at a time.
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) {
      const Utf8Unit unit = decode_utf8(text.substr(at));
      if (unit.kind != Utf8Unit::Kind::character) return at;
      out += unit.code_point == kLongS ? kLongSByte : class_byte(unicode_class(unit.code_point));
      at += unit.length;
    }
  }
  return at;
}

}  // namespace bitnet
