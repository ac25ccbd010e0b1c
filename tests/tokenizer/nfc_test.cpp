#include "tokenizer/nfc.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bitnet {
namespace {

std::string nfc(const std::string& text) { return std::string(NfcText(text).text()); }

// What Hugging Face's tokenizers 0.23.2 make of the texts.
TEST(Nfc, ComposesDecomposesAndOrdersMarks) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain ASCII", "plain ASCII"},
      {"i\u0302", "\u00EE"},
      {"bri\u0302ler\u030C de", "br\u00EEle\u0159 de"},
      {"\u212B", "\u00C5"},                // a singleton
      {"\u0344", "\u0308\u0301"},          // a composite that is never composed
      {"q\u0307\u0323", "q\u0323\u0307"},  // ordered
      {"s\u0323\u0307", "\u1E69"},         // two marks in one
      {"\u1E9B\u0323", "\u1E9B\u0323"},    // composed already
      {"\u1100\u1161\u11A8", "\uAC01"},    // Hangul
      {"\uAC00\u11A8\u11A8", "\uAC01\u11A8"},
      {"\u304B\u3099", "\u304C"},
      {"\u0915\u093C", "\u0915\u093C"},  // excluded from composition
      {"\u0958", "\u0915\u093C"},
      {"\u09C7\u09BE", "\u09CB"},  // with a mark of class 0
      {"\uFB1D", "\u05D9\u05B4"},
      {"\U00011131\U00011127", "\U0001112E"},
      {"\U0001D15E", "\U0001D157\U0001D165"},
      {"a\u0301\u0301e\u0301", "\u00E1\u0301\u00E9"},
      {"\u0301", "\u0301"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(nfc(text), expected) << text;
}

// The same library that Qwen's texts were normalized with leaves these as they are, though later versions of
// Unicode order or compose them.
TEST(Nfc, KnowsNothingThatCameAfterUnicode9) {
  for (const std::string text : {
           "\U000105D2\u0307",      // Unicode 16 composes them into U+105C9
           "\U00011935\U00011930",  // Unicode 13 into U+11938
           "a\u1DF6\u0323",         // Unicode 10: a mark of class 232 before one of class 220
           "a\U00010D69\u0323"      // Unicode 16: a mark of class 230 before one of class 220
       }) {
    EXPECT_EQ(nfc(text), text);
  }
  EXPECT_EQ(nfc("e\u0301\U000105D2\u0301e\u0301"), "\u00E9\U000105D2\u0301\u00E9");
}

TEST(Nfc, LeavesBytesThatAreNotUtf8AndComposesAroundThem) {
  EXPECT_EQ(nfc("\xFF"
                "e\u0301\xFF\u0301\xC3"),
            "\xFF\u00E9\xFF\u0301\xC3");
  EXPECT_EQ(nfc("\x80\u0302"
                "i\u0302"),
            "\x80\u0302\u00EE");
  EXPECT_EQ(nfc("\xC3\u0302"), "\xC3\u0302");
  EXPECT_EQ(nfc("i\xCC"), "i\xCC");
}

struct Free {
  void operator()(utf8proc_uint8_t* text) const { std::free(text); }
};

TEST(Nfc, AgreesWithTheWholeTextNormalizedAtOnce) {
  std::mt19937 random(1);
  const std::vector<std::string> parts = {
      "a",      "e",      "i",      " ",      "\u0301", "\u0302", "\u0323", "\u0327", "\u0334", "\u0345",
      "\u0344", "\u0F73", "\u0F71", "\u212B", "\u1100", "\u1161", "\u11A8", "\uAC00", "\u09C7", "\u09BE",
      "\u093C", "\u0915", "\u1E9B", "\u304B", "\u3099", "\u4E2D", "\u0F40", "\u0FB5"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::size_t n = random() % 12; n > 0; --n) text += parts[random() % parts.size()];
    const std::unique_ptr<utf8proc_uint8_t, Free> whole(
        utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())));
    ASSERT_EQ(nfc(text), reinterpret_cast<const char*>(whole.get())) << text;
  }
}

TEST(Nfc, SaysWhereInTheOriginalAPlaceIs) {
  const std::string original = "ai\u0302b\u212Bc\u0344";  // 1 3 1 3 1 2 bytes
  const NfcText text(original);
  ASSERT_EQ(text.text(), "a\u00EEb\u00C5c\u0308\u0301");  // 1 2 1 2 1 4 bytes
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at <= text.text().size(); ++at) offsets.push_back(text.original_offset(at));
  EXPECT_EQ(offsets, (std::vector<std::size_t>{0, 1, 4, 4, 5, 8, 8, 11, 11, 11, 11, 11}));
}

TEST(Nfc, CopiesNothingOfATextThatStaysAsItIs) {
  const std::string original = "\u00EE and \uAC00\u0302";
  EXPECT_EQ(NfcText(original).text().data(), original.data());
  EXPECT_EQ(NfcText(original).original_offset(5), 5U);
}

// The ordering of utf8proc 2.8 would take ten minutes for this.
TEST(Nfc, OrdersALongRunOfMarks) {
  std::string text = "a";
  for (int i = 0; i < 200000; ++i) text += "\u0301";
  for (int i = 0; i < 200000; ++i) text += "\u0323";
  const std::string result = nfc(text);
  EXPECT_TRUE(result.starts_with("\u1EA1\u0323"));
  EXPECT_TRUE(result.ends_with("\u0323\u0301" + text.substr(1, 400000 - 2)));
}

}  // namespace
}  // namespace bitnet
