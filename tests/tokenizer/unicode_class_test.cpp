#include "tokenizer/unicode_class.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tokenizer/class_pattern.h"
#include "tokenizer/range_table.h"

namespace bitnet {
namespace {

using enum UnicodeClass;

TEST(UnicodeClass, KnowsCharactersOfUnicode15And16AndNoneOf17) {
  const std::vector<std::pair<char32_t, UnicodeClass>> expected = {
      {0x11F04, letter},                                        // Kawi, 15
      {0x11F00, mark},   {0x11F50, number}, {0x1D2C0, number},  // Kaktovik, 15
      {0x31350, letter},                                        // CJK extension H, 15
      {0x2EBF0, letter},                                        // CJK extension I, 15.1
      {0x105D2, letter},                                        // Todhri, 16
      {0x1C89, letter},                                         // Cyrillic, 16
      {0x1E5F1, number},                                        // Ol Onal, 16
      {0x0897, mark},                                           // Arabic, 16
      {0x1CC00, other},                                         // a symbol, 16
      {0x088F, other},   {0x323B0, other},                      // 17
  };
  for (const auto& [code_point, wanted] : expected) {
    EXPECT_EQ(unicode_class(code_point), wanted) << std::hex << static_cast<unsigned>(code_point);
  }
}

TEST(UnicodeClass, TakesForSpacesWhatHasThePropertyWhiteSpaceAndNothingElse) {
  std::vector<char32_t> spaces;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (unicode_class(c) == space) spaces.push_back(c);
  }
  const std::vector<char32_t> white_space = {
      0x9,    0xA,    0xB,    0xC,    0xD,    0x20,   0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
      0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  EXPECT_EQ(spaces, white_space);
  EXPECT_EQ(unicode_class(0x180E), other);  // was one before Unicode 6.3
}

// Unicode 16's own totals of the general categories L, M and N.
TEST(UnicodeClass, CountsWhatUnicode16Counts) {
  std::map<UnicodeClass, int> counts;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) ++counts[unicode_class(c)];
  EXPECT_EQ(counts[letter], 141028);
  EXPECT_EQ(counts[mark], 2501);
  EXPECT_EQ(counts[number], 1911);
}

TEST(UnicodeClass, AgreesWithTheClassesOfAscii) {
  for (char32_t c = 0; c < 0x80; ++c) {
    const bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const bool is_number = c >= '0' && c <= '9';
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    EXPECT_EQ(unicode_class(c), is_letter   ? letter
                                : is_number ? number
                                : is_space  ? space
                                            : other)
        << static_cast<unsigned>(c);
  }
}

TEST(RangeTable, FindsTheRangeOfEveryCodePoint) {
  static constexpr CodePointRange<int> kRanges[] = {{0x0, 1},      {0x1, 2},      {0x7F, 3},     {0x80, 4},
                                                    {0x81, 5},     {0x100, 6},    {0x1000, 7},   {0x1001, 8},
                                                    {0x10FF80, 9}, {0x10FFFE, 0}, {0x10FFFF, 11}};
  static constexpr RangeTable kTable(kRanges);
  std::size_t range = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    while (range + 1 < std::size(kRanges) && kRanges[range + 1].first <= c) ++range;
    ASSERT_EQ(kTable[c], kRanges[range].value) << static_cast<unsigned>(c);
  }
}

std::string classes_of(std::string_view text) {
  std::string classes;
  append_class_bytes(text, classes);
  return classes;
}

TEST(ClassPattern, WritesPropertiesInAndOutOfBrackets) {
  EXPECT_EQ(class_pattern(R"([^\r\n\p{L}\p{N}]?\p{M}+)"),
            "[^\\r\\nA-Za-z\x81\x85"
            "0-9\x83]?[\x82]+");
  EXPECT_EQ(class_pattern(R"(\s+(?!\S))"), "[\t-\r \x84]+(?![^\t-\r \x84])");
  EXPECT_EQ(class_pattern(R"(\[\p{N}\]ſ)"), "\\[[0-9\x83]\\]\x85");
}

TEST(ClassPattern, GivesEveryCharacterOneByteUpToTheFirstThatIsNotUtf8) {
  EXPECT_EQ(classes_of("aé١\u0301 \u3000\u180E€ſ\n"), "a\x81\x83\x82 \x84\x80\x80\x85\n");
  std::string classes = "kept ";
  EXPECT_EQ(append_class_bytes("a long run of ASCII, é\xC3(", classes), 23U);
  EXPECT_EQ(classes, "kept a long run of ASCII, \x81");
  EXPECT_EQ(append_class_bytes("\xFF", classes), 0U);
}

}  // namespace
}  // namespace bitnet
