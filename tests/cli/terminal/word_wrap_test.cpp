#include "cli/terminal/word_wrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "cli/terminal/cell_width.h"

namespace bitnet::cli {
namespace {

class WordWrapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    choose_locale();
    if (cell_width(U'\u65E5') != 2) GTEST_SKIP() << "no locale here that knows UTF-8";
  }
  // Handed over in pieces of so many bytes that end between characters.
  static std::string wrapped(const std::string& text, std::size_t columns, std::size_t piece = 1) {
    WordWrap wrap;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = std::min(at + piece, text.size());
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
      wrap.push(text.substr(at, end - at), columns, out);
      at = end;
    }
    wrap.finish(out);
    return out;
  }
};

TEST_F(WordWrapTest, BreaksLinesBetweenWords) {
  EXPECT_EQ(wrapped("The quick brown fox jumps", 10), "The quick\nbrown fox\njumps");
  EXPECT_EQ(wrapped("The quick brown fox jumps", 80), "The quick brown fox jumps");
  EXPECT_EQ(wrapped("1234567890 1234567890", 10), "1234567890\n1234567890");  // a row may be filled
}

TEST_F(WordWrapTest, GivesTheSameHoweverTheTextComes) {
  const std::string text =
      "  Once upon a time, \u65E5\u672C\u8A9E\u3002 e\u0301t\u00E9\n\n\t- and then\r\nthe end";
  for (const std::size_t columns : {10U, 13U, 40U}) {
    const std::string whole = wrapped(text, columns, text.size());
    for (const std::size_t piece : {1U, 2U, 3U, 7U}) EXPECT_EQ(wrapped(text, columns, piece), whole);
  }
}

TEST_F(WordWrapTest, HoldsBackNothingButTheLastWord) {
  WordWrap wrap;
  std::string out;
  wrap.push("Once upon a ti", 20, out);
  EXPECT_EQ(out, "Once upon a");
  wrap.push("me there", 20, out);
  EXPECT_EQ(out, "Once upon a time");
  wrap.finish(out);
  EXPECT_EQ(out, "Once upon a time\nthere");
}

TEST_F(WordWrapTest, KeepsLineBreaksAndIndents) {
  EXPECT_EQ(wrapped("a\n\n  b c\n    code here it is", 12), "a\n\n  b c\n    code\nhere it is");
}

TEST_F(WordWrapTest, LeavesAWordThatIsLongerThanARowToTheTerminal) {
  EXPECT_EQ(wrapped("see https://example.org/a/b here", 12), "see\nhttps://example.org/a/b\nhere");
  EXPECT_EQ(wrapped("https://example.org/a/b x", 12), "https://example.org/a/b\nx");
  // What follows knows where the terminal's own breaks have left it.
  EXPECT_EQ(wrapped("https://a.org/b is it", 12), "https://a.org/b is it");
}

TEST_F(WordWrapTest, PartsIdeographsButNotFromTheirMarksAndPunctuation) {
  const std::string ka_ga = "\u304B\u3099";  // a letter and its mark
  EXPECT_EQ(wrapped("\u65E5\u672C\u8A9E\u6587\u5B57\u5217", 10), "\u65E5\u672C\u8A9E\u6587\u5B57\n\u5217");
  EXPECT_EQ(wrapped("\u65E5\u672C\u8A9E\u6587\u5B57\u3002\u5217", 10),
            "\u65E5\u672C\u8A9E\u6587\n\u5B57\u3002\u5217");
  EXPECT_EQ(wrapped("\u65E5\u672C\u8A9E\u6587" + ka_ga + ka_ga, 10),
            "\u65E5\u672C\u8A9E\u6587" + ka_ga + "\n" + ka_ga);
  EXPECT_EQ(wrapped("\u65E5\u672C\u8A9E\u6587\u300C\u5B57", 10), "\u65E5\u672C\u8A9E\u6587\n\u300C\u5B57");
}

TEST_F(WordWrapTest, KeepsWhatAJoinerJoins) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";
  EXPECT_EQ(wrapped("family: " + family, 12), "family:\n" + family);
  const std::string thumb = "\U0001F44D\U0001F3FD";
  EXPECT_EQ(wrapped("very good" + thumb, 12), "very good\n" + thumb);
}

TEST_F(WordWrapTest, FollowsTheWidthOfTheWindow) {
  WordWrap wrap;
  std::string out;
  wrap.push("one two three four ", 40, out);
  wrap.push("five six ", 12, out);  // the terminal has broken the line into rows of its own, the last of 6
  wrap.push("seven ", 12, out);
  wrap.push("eight nine ten ", 40, out);
  wrap.finish(out);
  EXPECT_EQ(out, "one two three four five\nsix seven eight nine ten");
}

TEST_F(WordWrapTest, KeepsOutOfANarrowTerminal) {
  const std::string text = "  Once upon\ta time ";
  EXPECT_EQ(wrapped(text, 0), text);
  EXPECT_EQ(wrapped(text, WordWrap::kFewestColumns - 1), text);
}

TEST_F(WordWrapTest, HoldsNoMoreThanARowWhateverComes) {
  WordWrap wrap;
  std::string out;
  const std::string spaces(100000, ' ');
  wrap.push("a" + spaces + "b", 20, out);
  wrap.push(std::string(100000, 'x'), 20, out);
  EXPECT_EQ(out.size(), 2 + 100001U);
  wrap.finish(out);
  EXPECT_TRUE(out.starts_with("a\nbx")) << out.substr(0, 20);
}

}  // namespace
}  // namespace bitnet::cli
