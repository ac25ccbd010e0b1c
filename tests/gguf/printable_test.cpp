#include "base/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace bitnet {
namespace {

TEST(Printable, LeavesPlainTextAndUtf8AsTheyAre) {
  EXPECT_EQ(printable("blk.0.attn_q.weight", 80), "blk.0.attn_q.weight");
  EXPECT_EQ(printable("\xC4\xA0na\xC3\xAFve \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x99\x82", 80),
            "\xC4\xA0na\xC3\xAFve \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x99\x82");
  EXPECT_EQ(printable("", 80), "");
}

TEST(Printable, EscapesControlsAndTheEscapeItself) {
  EXPECT_EQ(printable("a\nb\r\tc", 80), "a\\nb\\r\\tc");
  EXPECT_EQ(printable("\x1b[2J\x07\x7f", 80), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3), 80), "a\\x00b");
  EXPECT_EQ(printable("\\n", 80), "\\\\n");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J",
                      80),
            "\\xc2\\x9b2J");  // U+009B, a one-character CSI
}

TEST(Printable, EscapesWhatBreaksLinesOrTurnsText) {
  EXPECT_EQ(printable("\xE2\x80\xA8", 80), "\\xe2\\x80\\xa8");  // U+2028 line separator
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "abc",
                      80),
            "\\xe2\\x80\\xaeabc");                              // U+202E right-to-left override
  EXPECT_EQ(printable("\xEF\xBB\xBF", 80), "\\xef\\xbb\\xbf");  // U+FEFF
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\xFF", 80), "\\xff");
  EXPECT_EQ(printable("\x80z", 80), "\\x80z");
  EXPECT_EQ(printable("\xC3", 80), "\\xc3");                             // cut
  EXPECT_EQ(printable("\xC3(", 80), "\\xc3(");                           // no continuation
  EXPECT_EQ(printable("\xC0\xAF", 80), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xE0\x80\x80", 80), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80", 80), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80", 80), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST(Printable, CutsBetweenCharactersAndSaysSo) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abc...");
  EXPECT_EQ(printable("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 4), "\xC3\xA9...");
  EXPECT_EQ(printable("ab\x01"
                      "cd",
                      6),
            "ab...");  // an escape is kept whole or not at all
  EXPECT_EQ(printable("abcdef", 2), "..");
  EXPECT_EQ(printable("abcdef", 0), "");
  EXPECT_EQ(printable(std::string(1 << 20, 'x'), 10), "xxxxxxx...");
}

}  // namespace
}  // namespace bitnet
