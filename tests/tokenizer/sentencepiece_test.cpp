#include "tokenizer/sentencepiece.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "tokenizer/piece_joints.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::ints;
using test::VocabularyBuilder;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kBytes = 3;  // the first byte token, after <unk>, <s>, </s>
constexpr std::int32_t kSpace = kBytes + 256;

std::int32_t byte(unsigned char value) { return kBytes + value; }

// Laid out as published files are.
VocabularyBuilder small() {
  VocabularyBuilder v("llama");
  v.add("<unk>", TokenType::unknown);
  v.add("<s>", TokenType::control);
  v.add("</s>", TokenType::control);
  v.add_bytes();
  v.add("▁", TokenType::normal, -10);
  return v;
}

TEST(SentencePiece, MergesTheHighestScoreFirstAndTheLeftmostOfEquals) {
  VocabularyBuilder v = small();
  v->add_space_prefix = false;
  const std::int32_t a = v.add("a", TokenType::normal, -20);
  v.add("b", TokenType::normal, -20);
  const std::int32_t c = v.add("c", TokenType::normal, -20);
  v.add("ab", TokenType::normal, -2);
  const std::int32_t bc = v.add("bc", TokenType::normal, -1);
  const std::int32_t aa = v.add("aa", TokenType::normal, -3);
  const Tokenizer t = v.build();
  EXPECT_EQ(test::encode(t, "abc"), (Ids{a, bc}));
  EXPECT_EQ(test::encode(t, "aaac"), (Ids{aa, a, c}));
}

// The definition over a whole text, which is cut nowhere.
void expect_definition_on_random_vocabularies(const std::vector<std::string>& alphabet, unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&] { return alphabet[random() % alphabet.size()]; };
  for (int round = 0; round < 60; ++round) {
    VocabularyBuilder v = small();
    v->add_space_prefix = false;
    std::map<std::string, std::pair<float, std::int32_t>, std::less<>> known;
    known.emplace("▁", std::pair(-10.0F, kSpace));
    const auto learn = [&](const std::string& piece) {
      if (known.contains(piece)) return;
      const auto score = -static_cast<float>(random() % 12);  // with many ties
      known.emplace(piece, std::pair(score, v.add(piece, TokenType::normal, score)));
    };
    for (const std::string& piece : alphabet) learn(piece);
    for (int i = 0; i < 30; ++i) {
      std::string piece;
      for (std::size_t n = 2 + random() % 4; n > 0; --n) piece += draw();
      learn(piece);
    }
    const Tokenizer t = v.build();
    for (int i = 0; i < 40; ++i) {
      std::string text;
      std::vector<std::string> symbols;
      for (std::size_t n = 1 + random() % 40; n > 0; --n) {
        symbols.push_back(draw());
        text += symbols.back() == "▁" ? " " : symbols.back();
      }
      for (;;) {
        std::size_t best = symbols.size();
        float best_score = 0;
        for (std::size_t k = 0; k + 1 < symbols.size(); ++k) {
          const auto found = known.find(symbols[k] + symbols[k + 1]);
          if (found == known.end() || (best < symbols.size() && found->second.first <= best_score)) continue;
          best = k;
          best_score = found->second.first;
        }
        if (best == symbols.size()) break;
        symbols[best] += symbols[best + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      }
      Ids expected;
      for (const std::string& symbol : symbols) expected.push_back(known.at(symbol).second);
      ASSERT_EQ(test::encode(t, text), expected) << text;
    }
  }
}

TEST(SentencePiece, AgreesWithTheDefinitionOnRandomVocabularies) {
  expect_definition_on_random_vocabularies({"a", "b", "é"}, 3);
}

TEST(SentencePiece, AgreesWithTheDefinitionWhereASpaceMayStandAnywhereInAPiece) {
  expect_definition_on_random_vocabularies({"a", "▁"}, 4);
  expect_definition_on_random_vocabularies({"a", "b", "c", "d", "é", "▁"},
                                           5);  // many pairs that no piece has
}

TEST(SentencePiece, MergesAcrossASpaceWhereAPieceDoes) {
  VocabularyBuilder v = small();
  v->add_space_prefix = false;
  const std::int32_t a = v.add("a", TokenType::normal, -9);
  v.add("b", TokenType::normal, -9);
  const std::int32_t a_space = v.add("a▁", TokenType::normal, -2);
  const std::int32_t a_space_b = v.add("a▁b", TokenType::normal, -1);
  const Tokenizer t = v.build();
  EXPECT_EQ(test::encode(t, "a ba a"), (Ids{a_space_b, a_space, a}));
}

TEST(PieceJoints, TellsPairsThatNoPieceHas) {
  PieceJoints joints;
  joints.add("▁▁ab");
  joints.add("é\xFF");
  joints.add("z");
  joints.add("");
  EXPECT_TRUE(joints.may_join(0x2581, 0x2581));
  EXPECT_TRUE(joints.may_join(0x2581, 'a'));
  EXPECT_TRUE(joints.may_join('a', 'b'));
  EXPECT_TRUE(joints.may_join(0xE9, CharacterOrByte::front("\xFF").code));
  EXPECT_FALSE(joints.may_join('a', 0x2581));
  EXPECT_FALSE(joints.may_join('b', 0x2581));
  EXPECT_FALSE(joints.may_join('b', 'a'));
  EXPECT_FALSE(joints.may_join('z', 'z'));
}

TEST(SentencePiece, PutsASpaceBeforeTextThatStartsOrFollowsASpecialToken) {
  VocabularyBuilder v = small();
  const std::int32_t a = v.add("a", TokenType::normal, -5);
  const std::int32_t space_a = v.add("▁a", TokenType::normal, -1);
  const Tokenizer t = v.build();
  EXPECT_TRUE(t.adds_space_prefix());
  EXPECT_EQ(test::encode(t, "aa a"), (Ids{space_a, a, space_a}));
  EXPECT_EQ(test::encode(t, "a</s>a", {.parse_special = true}), (Ids{space_a, 2, space_a}));
  EXPECT_EQ(test::encode(t, " a"), (Ids{kSpace, space_a}));
  EXPECT_EQ(test::encode(t, ""), Ids{});
  EXPECT_EQ(test::encode(t, "", {.add_bos = true}), Ids{1});

  v->add_space_prefix = false;
  EXPECT_EQ(test::encode(v.build(), "aa a"), (Ids{a, a, space_a}));
}

TEST(SentencePiece, FallsBackOnByteTokensForWhatHasNoToken) {
  VocabularyBuilder v = small();
  v->add_space_prefix = false;
  const Tokenizer t = v.build();
  EXPECT_EQ(test::encode(t, "é\n"), (Ids{byte(0xC3), byte(0xA9), byte('\n')}));
  EXPECT_EQ(test::encode(t, "\xFF\xE2\x96 "), (Ids{byte(0xFF), byte(0xE2), byte(0x96), kSpace}));
  EXPECT_EQ(t.bytes_of(TokenId{byte(0xC3)}), "\xC3");
  EXPECT_EQ(t.bytes_of(TokenId{kSpace}), " ");
}

TEST(SentencePiece, GivesTheUnknownTokenOnlyWhereThereAreNoByteTokens) {
  VocabularyBuilder v("llama");
  v.add("<unk>", TokenType::unknown);
  v.add("a");
  v->add_space_prefix = false;
  EXPECT_EQ(test::encode(v.build(), "aéa"), (Ids{1, 0, 1}));

  VocabularyBuilder without("llama");
  without.add("a");
  without->add_space_prefix = false;
  EXPECT_THROW(test::encode(without.build(), "é"), UsageError);
}

TEST(SentencePiece, NeverMakesByteTokensOfTextThatSpellsThem) {
  VocabularyBuilder v = small();
  v->add_space_prefix = false;
  // Pieces that would lead up to "<0x41>", pair by pair.
  for (const auto* piece : {"<", "0", "x", "4", "1", ">", "<0", "<0x", "<0x4", "<0x41"}) v.add(piece);
  v.add("1>", TokenType::normal, -100.0F);  // comes too late, but lets the last two characters join
  const Tokenizer t = v.build();
  EXPECT_EQ(test::decode(t, test::encode(t, "<0x41>")), "<0x41>");
}

TEST(SentencePiece, RecognisesByteTokensBySpellingWhenTheFileGivesNoTypes) {
  VocabularyBuilder v = small();
  v->add_space_prefix = false;
  v->types.clear();
  const Tokenizer t = v.build();
  EXPECT_EQ(test::encode(t, "A"), Ids{byte('A')});
  EXPECT_EQ(t.bytes_of(TokenId{byte('A')}), "A");
}

TEST(SentencePiece, FindsItsSpecialTokensBySpellingWhenTheFileNamesNone) {
  const VocabularyBuilder v = small();
  const Tokenizer t = v.build();
  EXPECT_EQ(t.bos(), TokenId{1});
  EXPECT_EQ(t.eos(), TokenId{2});
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(ints({t.end_tokens().begin(), t.end_tokens().end()}), Ids{2});
}

TEST(SentencePiece, RefusesScoresThatCannotOrderMerges) {
  VocabularyBuilder missing = small();
  missing->scores.clear();
  EXPECT_THROW(missing.build(), ModelError);
  VocabularyBuilder few = small();
  few->scores.pop_back();
  EXPECT_THROW(few.build(), ModelError);
  VocabularyBuilder nan = small();
  nan->scores[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(nan.build(), ModelError);
  VocabularyBuilder infinite = small();
  infinite->scores[5] = -std::numeric_limits<float>::infinity();
  EXPECT_NO_THROW(infinite.build());
}

TEST(SentencePiece, RefusesAByteTokenThatIsNotSpelledLikeOne) {
  for (const auto* spelling : {"<0x4>", "<0xG1>", "A", "", "<0x041>"}) {
    VocabularyBuilder v = small();
    v.add(spelling, TokenType::byte);
    EXPECT_THROW(v.build(), ModelError) << spelling;
  }
}

TEST(SentencePiece, BringsBackEveryByteAndRandomText) {
  VocabularyBuilder v = small();
  v.add("he", TokenType::normal, -1);
  v.add("h", TokenType::normal, -2);
  v.add("e", TokenType::normal, -2);
  v.add("▁he", TokenType::normal, -1);
  const Tokenizer t = v.build();
  std::mt19937 random(4);
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  for (int i = 0; i < 200; ++i) {
    const std::string text = test::random_text(random, i % 2 == 0 ? all : "he  he\n", 1 + random() % 50);
    ASSERT_EQ(test::decode(t, test::encode(t, text)), " " + text);
  }
}

}  // namespace
}  // namespace bitnet
