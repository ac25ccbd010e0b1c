#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using Kind = Utf8Unit::Kind;

void expect_unit(std::string_view bytes, Kind kind, std::size_t length) {
  const Utf8Unit unit = decode_utf8(bytes);
  EXPECT_EQ(unit.kind, kind) << testing::PrintToString(std::string(bytes));
  EXPECT_EQ(unit.length, length) << testing::PrintToString(std::string(bytes));
}

// The plain definition of the encoding, to compare with.
std::string utf8_of(char32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0U | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0U | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | c >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, DecodesEveryScalarValueAndNoSurrogate) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const std::string bytes = utf8_of(c);
    const Utf8Unit unit = decode_utf8(bytes);
    if (c >= 0xD800 && c <= 0xDFFF) {
      ASSERT_EQ(unit.kind, Kind::ill_formed) << static_cast<unsigned>(c);
    } else {
      ASSERT_EQ(unit.kind, Kind::character) << static_cast<unsigned>(c);
      ASSERT_EQ(unit.length, bytes.size());
      ASSERT_EQ(unit.code_point, c);
    }
  }
}

TEST(Utf8, EveryProperPrefixOfACharacterIsUnfinished) {
  for (const std::string_view character :
       {"\xC3\xA9", "\xE4\xB8\xAD", "\xF0\x9F\x91\xA9", "\xF4\x8F\xBF\xBF"}) {
    for (std::size_t n = 1; n < character.size(); ++n)
      expect_unit(character.substr(0, n), Kind::unfinished, n);
  }
}

TEST(Utf8, IllFormedBytesAreTakenAsMaximalSubparts) {
  expect_unit("\x80", Kind::ill_formed, 1);      // a continuation byte alone
  expect_unit("\xC0\xAF", Kind::ill_formed, 1);  // overlong
  expect_unit("\xC1\xBF", Kind::ill_formed, 1);
  expect_unit("\xE0\x9F\xBF", Kind::ill_formed, 1);      // overlong
  expect_unit("\xF0\x8F\xBF\xBF", Kind::ill_formed, 1);  // overlong
  expect_unit("\xED\xA0\x80", Kind::ill_formed, 1);      // surrogate
  expect_unit("\xF4\x90\x80\x80", Kind::ill_formed, 1);  // above U+10FFFF
  expect_unit("\xF5\x80\x80\x80", Kind::ill_formed, 1);
  expect_unit("\xFF", Kind::ill_formed, 1);
  expect_unit(
      "\xE2\x82"
      "A",
      Kind::ill_formed, 2);  // cut off by a letter
  expect_unit(
      "\xF0\x9F\x92"
      "A",
      Kind::ill_formed, 3);
  expect_unit("\xF0\x9F\xC3\xA9", Kind::ill_formed, 2);  // cut off by another character
}

TEST(ByteAlphabet, GivesEveryByteItsPublishedAlias) {
  std::string bytes;
  std::string expected;
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes += static_cast<char>(byte);
    expected += test::alias_of(static_cast<unsigned char>(byte));
  }
  std::string aliases;
  append_aliases(bytes, aliases);
  EXPECT_EQ(aliases, expected);
  std::string back;
  append_aliased_bytes(aliases, back);
  EXPECT_EQ(back, bytes);
}

TEST(ByteAlphabet, LeavesWhatIsNoAliasAsItIs) {
  std::string bytes;
  append_aliased_bytes("\xC4\xA0 \xE4\xB8\xAD\xFF\xE2", bytes);
  EXPECT_EQ(bytes, "  \xE4\xB8\xAD\xFF\xE2");
}

}  // namespace
}  // namespace bitnet
