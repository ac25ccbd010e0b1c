#include <gtest/gtest.h>

#include <string>

#include "bitnet/tokenizer.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::canary_tokenizer;
using test::VocabularyBuilder;

// One token a byte, and multi-byte ones to cut across characters.
const Tokenizer& bytes_tokenizer() {
  static VocabularyBuilder v = [] {
    VocabularyBuilder b("gpt2", "gpt-2");
    b.add_bytes();
    return b;
  }();
  static const Tokenizer tokenizer = v.build();
  return tokenizer;
}

TokenId byte_token(char byte) { return TokenId{static_cast<unsigned char>(byte)}; }

std::string stream(std::string_view bytes) {
  Detokenizer d(bytes_tokenizer());
  std::string out;
  for (const char byte : bytes) {
    d.push(byte_token(byte), out);
    EXPECT_EQ(well_formed_prefix(out), out.size());
  }
  d.flush(out);
  return out;
}

TEST(Detokenizer, HoldsACharacterBackUntilItIsWhole) {
  Detokenizer d(bytes_tokenizer());
  const std::string text = "é中👩";
  std::string out;
  std::size_t whole = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    d.push(byte_token(text[i]), out);
    if (well_formed_prefix(text.substr(0, i + 1)) == i + 1) whole = i + 1;
    EXPECT_EQ(out, text.substr(0, whole));
  }
  d.flush(out);
  EXPECT_EQ(out, text);
}

TEST(Detokenizer, GivesTheSameTextHoweverItIsSplitIntoTokens) {
  const std::string text = "aé中👩‍🚀!";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      VocabularyBuilder v("gpt2", "gpt-2");
      for (const std::string& part :
           {text.substr(0, first), text.substr(first, second - first), text.substr(second)}) {
        std::string piece;
        for (const char c : part) piece += test::alias_of(static_cast<unsigned char>(c));
        v.add(piece);
      }
      const Tokenizer t = v.build();
      Detokenizer d(t);
      std::string out;
      for (int id = 0; id < 3; ++id) d.push(TokenId{id}, out);
      EXPECT_EQ(out, text);
      d.flush(out);
      EXPECT_EQ(out, text);
    }
  }
}

// The example of the Unicode Standard, table 3-8, and its neighbours.
TEST(Detokenizer, ReplacesEachMaximalIllFormedPartByOneReplacementCharacter) {
  EXPECT_EQ(stream("a\xF1\x80\x80\xE1\x80\xC2"
                   "b\x80"
                   "c\x80\xBF"
                   "d"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(stream("\xC0\xAF"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(stream("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");            // surrogate
  EXPECT_EQ(stream("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  EXPECT_EQ(stream("x\xF0\x9F\x91"), "x\uFFFD");                      // the stream ends within a character
  EXPECT_EQ(stream("\xE4\xB8\xE4\xB8\xAD"), "\uFFFD中");
}

TEST(Detokenizer, GivesValidUtf8ForAnyBytesAndLosesNoValidCharacter) {
  std::mt19937 random(9);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes =
        test::random_text(random, "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xFF\xED", random() % 20);
    std::string expected;
    for (std::string_view rest = bytes; !rest.empty();) {
      const Utf8Unit unit = decode_utf8(rest);
      expected += unit.kind == Utf8Unit::Kind::character ? rest.substr(0, unit.length) : "\uFFFD";
      rest.remove_prefix(unit.length);
    }
    ASSERT_EQ(stream(bytes), expected) << testing::PrintToString(bytes);
  }
}

TEST(Detokenizer, StartsAnewAfterAFlush) {
  Detokenizer d(bytes_tokenizer());
  std::string out;
  d.push(byte_token('\xC3'), out);
  d.flush(out);
  d.push(byte_token('\xA9'), out);
  d.flush(out);
  d.flush(out);
  EXPECT_EQ(out, "\uFFFD\uFFFD");
}

TEST(Detokenizer, ShowsControlTokensOnlyOnRequest) {
  const auto show = [](bool with_special) {
    Detokenizer d(canary_tokenizer(), with_special);
    std::string out;
    for (const TokenId id :
         canary_tokenizer().encode("What is<|eot_id|>", {.add_bos = true, .parse_special = true})) {
      d.push(id, out);
    }
    d.push(TokenId{-5}, out);
    d.flush(out);
    return out;
  };
  EXPECT_EQ(show(false), "What is");
  EXPECT_EQ(show(true), "<|begin_of_text|>What is<|eot_id|>");
}

TEST(Detokenizer, TakesOffTheSpaceThatSentencePiecePutBeforeTheText) {
  VocabularyBuilder v("llama");
  v.add("<s>", TokenType::control);
  v.add("▁");
  v.add("a");
  v.add("▁a");
  const auto decode = [](const Tokenizer& t, bool starts_text) {
    Detokenizer d(t, false, starts_text);
    std::string out;
    for (int round = 0; round < 2; ++round) {
      for (const TokenId id : {TokenId{0}, TokenId{3}, TokenId{3}}) d.push(id, out);
      d.flush(out);
      out += '|';
    }
    return out;
  };
  const Tokenizer adds = v.build();
  EXPECT_EQ(decode(adds, true), "a a|a a|");
  EXPECT_EQ(decode(adds, false), " a a| a a|");
  v->add_space_prefix = false;
  const Tokenizer does_not = v.build();
  EXPECT_EQ(decode(does_not, true), " a a| a a|");
}

}  // namespace
}  // namespace bitnet
