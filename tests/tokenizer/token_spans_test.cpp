// Where tokens stand in a text, and the way back from them to its bytes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::VocabularyBuilder;

// As published SentencePiece files are, with a few words.
VocabularyBuilder words() {
  VocabularyBuilder v("llama");
  v.add("<unk>", TokenType::unknown);
  v.add("<s>", TokenType::control);
  v.add("</s>", TokenType::control);
  v.add_bytes();
  v.add("▁", TokenType::normal, -10);
  v.add("a", TokenType::normal, -9);
  v.add("b", TokenType::normal, -9);
  v.add("▁a", TokenType::normal, -3);
  v.add("▁ab", TokenType::normal, -2);
  v.add("<user>", TokenType::user_defined);
  return v;
}

// "begin-end " of each token.
std::string places(const std::vector<TokenSpan>& spans) {
  std::string text;
  for (const TokenSpan& s : spans) text += std::to_string(s.begin) + "-" + std::to_string(s.end) + " ";
  return text;
}

std::vector<TokenId> ids_of(const std::vector<TokenSpan>& spans) {
  std::vector<TokenId> ids;
  for (const TokenSpan& s : spans) ids.push_back(s.id);
  return ids;
}

TEST(TokenSpans, AreTheBytesThatATokenStandsFor) {
  const std::vector<TokenSpan> spans =
      test::canary_tokenizer().encode_spans("What is 2+2?", {.add_bos = true});
  EXPECT_EQ(ids_of(spans), test::canary_tokenizer().encode("What is 2+2?", {.add_bos = true}));
  EXPECT_EQ(places(spans), "0-0 0-4 4-7 7-8 8-9 9-10 10-11 11-12 ");
}

TEST(TokenSpans, CoverControlTokensThatAreRecognised) {
  EXPECT_EQ(places(test::canary_tokenizer().encode_spans("2<|eot_id|>2", {.parse_special = true})),
            "0-1 1-11 11-12 ");
}

TEST(TokenSpans, AreEmptyForASpaceThatSentencePiecePutThere) {
  const VocabularyBuilder v = words();
  const Tokenizer t = v.build();
  EXPECT_EQ(places(t.encode_spans("ab a")), "0-2 2-4 ");
  EXPECT_EQ(places(t.encode_spans("b")), "0-0 0-1 ");
  EXPECT_EQ(places(t.encode_spans(" a")), "0-0 0-2 ");
  EXPECT_EQ(places(t.encode_spans("a<user>b")), "0-1 1-7 7-7 7-8 ");
}

TEST(TokenSpans, CountTheBytesOfTheTextAndNotOfItsEscapes) {
  const VocabularyBuilder v = words();
  const Tokenizer t = v.build();
  EXPECT_EQ(places(t.encode_spans("a▁a")), "0-1 1-5 ");            // a space that was typed as U+2581
  EXPECT_EQ(places(t.encode_spans("aé")), "0-1 1-2 2-3 ");         // in byte tokens
  EXPECT_EQ(places(t.encode_spans("a\xFF\xC3")), "0-1 1-2 2-3 ");  // no UTF-8
}

TEST(TokenSpans, CountTheBytesOfTheTextAndNotOfItsNormalForm) {
  VocabularyBuilder v("gpt2", "qwen2");
  v.add_bytes();
  v.add_merged(test::alias_of(0xC3), test::alias_of(0xAE));  // î
  v.add("<user>", TokenType::user_defined);
  const Tokenizer t = v.build();
  EXPECT_EQ(places(t.encode_spans("ai\u0302b")), "0-1 1-4 4-5 ");
  EXPECT_EQ(places(t.encode_spans("a<user>i\u0302b")), "0-1 1-7 7-10 10-11 ");
  EXPECT_EQ(places(t.encode_spans("e\u0301b")), "0-3 3-3 3-4 ");  // two tokens of what is one character now
  EXPECT_EQ(places(t.encode_spans("a\u00EEb")), "0-1 1-3 3-4 ");
  EXPECT_EQ(t.decode(t.encode("ai\u0302b\xFF")), "a\u00EEb\xFF");
}

TEST(TokenSpans, GiveTheUnknownTokenOneCharacter) {
  VocabularyBuilder v("llama");
  v->unk = 0;
  v->add_space_prefix = false;
  v.add("<unk>", TokenType::unknown);
  v.add("a", TokenType::normal, -1);
  const Tokenizer t = v.build();
  EXPECT_EQ(places(t.encode_spans("a日a\xFF"
                                  "a")),
            "0-1 1-4 4-5 5-6 6-7 ");
}

TEST(TokenSpans, FollowOneAnotherWithoutAGapAndReachTheEnd) {
  VocabularyBuilder v = words();
  const Tokenizer sentencepiece = v.build();
  std::mt19937 random(5);
  const std::string alphabet = "ab <user>\xE2\x96\x81\xE6\x97\xA5\xFF\n";
  for (int round = 0; round < 300; ++round) {
    const std::string text = test::random_text(random, alphabet, 1 + random() % 40);
    for (const Tokenizer* t : {&test::canary_tokenizer(), &sentencepiece}) {
      const std::vector<TokenSpan> spans = t->encode_spans(text);
      EXPECT_EQ(ids_of(spans), t->encode(text));
      std::size_t at = 0;
      for (const TokenSpan& s : spans) {
        EXPECT_EQ(s.begin, at);
        EXPECT_GE(s.end, s.begin);
        at = s.end;
      }
      EXPECT_EQ(at, text.size());
    }
  }
}

TEST(Decode, BringsBackEveryByteOfATextWithSpecialTokensInIt) {
  const VocabularyBuilder v = words();
  const Tokenizer sentencepiece = v.build();
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int part = 0; part < 4; ++part) {
      text += test::random_text(random, "ab  \n\xE6\x97\xA5\xFF\x01", random() % 6);
      text += std::vector<std::string>{"<user>", "</s>", "<|eot_id|>", ""}[random() % 4];
    }
    for (const Tokenizer* t : {&test::canary_tokenizer(), &sentencepiece}) {
      EXPECT_EQ(t->decode(t->encode(text)), text);
      EXPECT_EQ(t->decode(t->encode(text, {.parse_special = true}), /*with_special=*/true), text);
    }
  }
}

TEST(Decode, BringsBackTheSentencePieceEscapeOfASpaceAsASpace) {
  const VocabularyBuilder v = words();
  const Tokenizer t = v.build();
  EXPECT_EQ(t.encode("a▁a"), t.encode("a a"));
  EXPECT_EQ(t.decode(t.encode("a▁a")), "a a");
}

TEST(Decode, LeavesOutControlTokensUnlessAskedForThem) {
  const Tokenizer& t = test::canary_tokenizer();
  const std::vector<TokenId> ids = t.encode("2<|eot_id|>2", {.add_bos = true, .parse_special = true});
  EXPECT_EQ(t.decode(ids), "22");
  EXPECT_EQ(t.decode(ids, /*with_special=*/true), "<|begin_of_text|>2<|eot_id|>2");
  EXPECT_EQ(t.decode({}), "");
}

}  // namespace
}  // namespace bitnet
