#include "tokenizer/byte_alphabet.h"

#include <array>

#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

constexpr char32_t kFirstMovedAlias = 256;
constexpr std::size_t kAliasEnd = 324;  // 256 + the 68 bytes that have no printable code point of their own

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr std::array<char32_t, 256> kAliasOfByte = [] {
  std::array<char32_t, 256> alias{};
  char32_t next = kFirstMovedAlias;
  for (unsigned byte = 0; byte < 256; ++byte) alias[byte] = stands_for_itself(byte) ? byte : next++;
  return alias;
}();

constexpr int kNoByte = -1;

constexpr std::array<int, kAliasEnd> kByteOfAlias = [] {
  std::array<int, kAliasEnd> byte{};
  byte.fill(kNoByte);
  for (int b = 0; b < 256; ++b) byte[kAliasOfByte[static_cast<std::size_t>(b)]] = b;
  return byte;
}();

}  // namespace

void append_aliases(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const char32_t alias = kAliasOfByte[static_cast<unsigned char>(c)];
    if (alias < 0x80) {
      out.push_back(static_cast<char>(alias));
    } else {
      out.push_back(static_cast<char>(0xC0U | alias >> 6));
      out.push_back(static_cast<char>(0x80U | (alias & 0x3FU)));
    }
  }
}

void append_aliased_bytes(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    const Utf8Unit unit = decode_utf8(piece);
    const bool may_be_alias = unit.kind == Utf8Unit::Kind::character && unit.code_point < kAliasEnd;
    const int byte = may_be_alias ? kByteOfAlias[unit.code_point] : kNoByte;
    if (byte == kNoByte) {
      out.append(piece.substr(0, unit.length));
    } else {
      out.push_back(static_cast<char>(byte));
    }
    piece.remove_prefix(unit.length);
  }
}

}  // namespace bitnet
