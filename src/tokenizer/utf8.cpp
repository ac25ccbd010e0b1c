#include "tokenizer/utf8.h"

#include <cassert>

namespace bitnet {

Utf8Unit decode_utf8(std::string_view bytes) {
  using Kind = Utf8Unit::Kind;
  assert(!bytes.empty());
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Kind::character, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::ill_formed, 1, 0};

  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range shuts out overlong forms, surrogates and what lies above U+10FFFF.
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;

  char32_t code_point = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Kind::unfinished, i, 0};
    const unsigned next = byte(i);
    if (next < low || next > high) return {Kind::ill_formed, i, 0};
    code_point = code_point << 6 | (next & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return {Kind::character, length, code_point};
}

std::size_t well_formed_prefix(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Unit unit = decode_utf8(bytes.substr(at));
    if (unit.kind != Utf8Unit::Kind::character) break;
    at += unit.length;
  }
  return at;
}

}  // namespace bitnet
