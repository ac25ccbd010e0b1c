#include "tokenizer/spelling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "support/text_holds.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::has;
using test::VocabularyBuilder;
using Verdict = Spelling::Verdict;

Spelling check(const Vocabulary& v) { return check_spelling(v, Tokenizer(v)); }

// The canary's vocabulary with each spelling as `change` makes it.
VocabularyBuilder canary_with(const std::function<void(std::string& piece)>& change) {
  const Vocabulary canary = test::canary_vocabulary();
  VocabularyBuilder changed(canary.model, canary.pre);
  for (std::size_t i = 0; i < canary.pieces.size(); ++i) {
    std::string piece(canary.pieces[i]);
    change(piece);
    changed.add(piece, TokenType{canary.types[i]}, -static_cast<float>(i));
  }
  for (const std::string_view merge : canary.merges) changed.add_merge(merge);
  return changed;
}

void expect_broken(const Spelling& spelling, std::string_view key, const std::string& part) {
  EXPECT_EQ(spelling.verdict, Verdict::broken);
  EXPECT_EQ(spelling.key, key);
  EXPECT_TRUE(has(spelling.what, part));
}

TEST(Spelling, OfTheCanaryIsThatOfText) {
  const Spelling spelling = check(test::canary_vocabulary());
  EXPECT_EQ(spelling.verdict, Verdict::text) << spelling.what;
  EXPECT_TRUE(spelling.warnings.empty()) << spelling.warnings.front();
}

// Words that are tokens as they stand come out whole under llama-bpe, merges or not; all others fall to
// bytes.
TEST(Spelling, IsBrokenWithoutMerges) {
  for (const auto* pre : {"llama-bpe", "gpt-2"}) {
    Vocabulary v = test::canary_vocabulary();
    v.pre = pre;
    v.merges.clear();
    expect_broken(check(v), "tokenizer.ggml.merges", "there are none");
  }
}

TEST(Spelling, IsBrokenWhereFewMergesMakeATokenOfTheVocabulary) {
  Vocabulary few = test::canary_vocabulary();
  few.merges.resize(10);
  expect_broken(check(few), "tokenizer.ggml.merges", "of 10 about 10 make a token");

  VocabularyBuilder foreign("gpt2", "llama-bpe");
  for (const std::string_view piece : test::canary_vocabulary().pieces) foreign.add(piece);
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) foreign.add_merge(std::string{a, ' ', b, 'Q'});
  }
  expect_broken(check(*foreign), "tokenizer.ggml.merges", "about 0 make a token");
}

TEST(Spelling, SuffersWhereSomeMergesAreMissing) {
  Vocabulary v = test::canary_vocabulary();
  v.merges.resize(v.merges.size() * 3 / 4);
  const Spelling spelling = check(v);
  EXPECT_EQ(spelling.verdict, Verdict::text);
  ASSERT_EQ(spelling.warnings.size(), 1U);
  EXPECT_TRUE(spelling.warnings[0].starts_with("tokenizer.ggml.merges: of 570 about 570"))
      << spelling.warnings[0];
}

TEST(Spelling, IsBrokenWhereTheVocabularyIsOfTheOtherKind) {
  VocabularyBuilder bpe = canary_with([](std::string&) {});
  bpe->model = "llama";
  expect_broken(check(*bpe), "tokenizer.ggml.model", "'llama' does not fit the tokens");
  bpe->unk = 0;  // every space becomes '!'
  expect_broken(check(*bpe), "tokenizer.ggml.model", "is that of 'gpt2' vocabularies");

  VocabularyBuilder pieces = canary_with([](std::string& piece) {
    const std::size_t at = piece.find("\u0120");
    if (at != std::string::npos) piece.replace(at, 2, "\u2581");
  });
  expect_broken(check(*pieces), "tokenizer.ggml.model", "'gpt2' does not fit the tokens");
  pieces.add("\u0120");  // a letter in a vocabulary of that kind, and so there is a token for the space
  expect_broken(check(*pieces), "tokenizer.ggml.model", "'gpt2' does not fit the tokens");
}

TEST(Spelling, IsBrokenWhereACharacterHasNoToken) {
  VocabularyBuilder one = canary_with([](std::string& piece) {
    if (piece == "~") piece = "[none]";
  });
  expect_broken(check(*one), "tokenizer.ggml.tokens", "'~' cannot be turned into tokens and back");
  VocabularyBuilder more = canary_with([](std::string& piece) {
    if (piece == "~" || piece == "Q" || piece == "7") piece = "[none]";
  });
  expect_broken(check(*more), "tokenizer.ggml.tokens", "'7' and 2 more of the printable ASCII characters");
}

// Where SentencePiece has no byte tokens, the unknown token stands in without a word.
TEST(Spelling, IsBrokenWhereTheUnknownTokenStandsForACharacter) {
  VocabularyBuilder v("llama");
  v->unk = v.add("<unk>", TokenType::unknown);
  v.add("▁");
  for (char c = '!'; c < '~'; ++c) v.add({&c, 1});
  expect_broken(check(*v), "tokenizer.ggml.tokens", "'~' cannot");
  v.add("~");
  EXPECT_EQ(check(*v).verdict, Verdict::text);
}

// Pieces that no merge of two others leads to are out of reach.
TEST(Spelling, IsBrokenWhereSentencePiecesAreNeverReached) {
  VocabularyBuilder v("llama");
  v.add_bytes();
  v.add("▁");
  v.add("▁once");
  v.add("upon");
  expect_broken(check(*v), "tokenizer.ggml.tokens", "words fall to single bytes");
  for (const auto* part : {"u", "p", "o", "n", "up", "on"}) v.add(part);
  EXPECT_EQ(check(*v).verdict, Verdict::text);
}

TEST(Spelling, OfSingleBytesNeedsNoMerges) {
  for (const auto* model : {"gpt2", "llama"}) {
    VocabularyBuilder v(model);
    v.add_bytes();
    if (v->model == "llama") v.add("▁");  // the space
    EXPECT_EQ(check(*v).verdict, Verdict::text) << model;
  }
}

TEST(Spelling, OfMadeUpTokensIsGoodForIdsOnly) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  for (int i = 0; i < 1000; ++i) v.add("t" + std::to_string(i));
  v.add_merge("t 0");
  const Spelling spelling = check(*v);
  EXPECT_EQ(spelling.verdict, Verdict::ids_only);
  EXPECT_EQ(spelling.key, "tokenizer.ggml.tokens");
  EXPECT_TRUE(has(spelling.what, "of 95 printable ASCII characters 0 have a token"));
  for (char c = '!'; c < '!' + 46; ++c) v.add({&c, 1});
  EXPECT_EQ(check(*v).verdict, Verdict::ids_only);
  v.add("a");
  EXPECT_EQ(check(*v).verdict, Verdict::broken);
}

}  // namespace
}  // namespace bitnet
