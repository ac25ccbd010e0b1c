#include "tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "bitnet/error.h"
#include "support/text_holds.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::has;
using test::VocabularyBuilder;
using Ids = std::vector<std::int32_t>;

// BPE by its definition: as long as there is one, merge the pair with the lowest rank, the leftmost of them.
Ids brute_force(const Vocabulary& v, std::string_view word, bool whole_tokens) {
  std::map<std::string, std::int32_t, std::less<>> id;
  for (std::size_t i = 0; i < v.pieces.size(); ++i) id.emplace(v.pieces[i], static_cast<std::int32_t>(i));
  std::map<std::pair<std::string, std::string>, std::size_t> rank;
  for (std::size_t i = 0; i < v.merges.size(); ++i) {
    const std::string line(v.merges[i]);
    rank.emplace(std::pair(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)), i);
  }
  std::vector<std::string> symbols;
  std::string whole;
  for (const char c : word) whole += symbols.emplace_back(test::alias_of(static_cast<unsigned char>(c)));
  if (whole_tokens && id.contains(whole)) return {id.at(whole)};
  for (;;) {
    std::size_t best = symbols.size();
    std::size_t best_rank = v.merges.size();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = rank.find({symbols[i], symbols[i + 1]});
      if (found != rank.end() && found->second < best_rank) {
        best = i;
        best_rank = found->second;
      }
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) ids.push_back(id.at(symbol));
  return ids;
}

TEST(Bpe, MergesTheBestRankedPairFirst) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add_bytes();
  v.add("ab");
  const std::int32_t bc = v.add("bc");
  v.add_merge("b c");
  v.add_merge("a b");
  EXPECT_EQ(test::encode(v.build(), "abc"), (Ids{'a', bc}));
}

TEST(Bpe, MergesTheLeftmostOfEqualPairsFirst) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add_bytes();
  const std::int32_t aa = v.add("aa");
  v.add_merge("a a");
  EXPECT_EQ(test::encode(v.build(), "aaaaa"), (Ids{aa, aa, 'a'}));
}

TEST(Bpe, CountsARepeatedMergeByItsFirstPlace) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add_bytes();
  const std::int32_t ab = v.add("ab");
  v.add("bc");
  v.add_merge("a b");
  v.add_merge("b c");
  v.add_merge("a b");
  EXPECT_EQ(test::encode(v.build(), "abc"), (Ids{ab, 'c'}));
}

TEST(Bpe, TakesAWholePreTokenThatIsATokenOnlyInTheLlamaFamily) {
  for (const auto* pre : {"llama-bpe", "qwen2"}) {
    VocabularyBuilder v("gpt2", pre);
    v.add_bytes();
    const std::int32_t hello = v.add("hello");  // and no merges that lead to it
    const Ids expected = std::string_view(pre) == "llama-bpe" ? Ids{hello} : Ids{'h', 'e', 'l', 'l', 'o'};
    EXPECT_EQ(test::encode(v.build(), "hello"), expected) << pre;
  }
}

TEST(Bpe, AgreesWithTheDefinitionOnRandomVocabulariesAndWords) {
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    VocabularyBuilder v("gpt2", round % 2 == 0 ? "llama-bpe" : "gpt-2");
    v.add_bytes();
    // Merges of what there is already, so that long tokens come about; a few of them twice.
    std::vector<std::string> pieces = {"a", "b", "c"};
    for (int i = 0; i < 40; ++i) {
      const std::string left = pieces[random() % pieces.size()];
      const std::string right = pieces[random() % pieces.size()];
      if (left.size() + right.size() > 12) continue;
      v.add_merged(left, right);
      pieces.push_back(left + right);
    }
    const Tokenizer tokenizer = v.build();
    for (int i = 0; i < 60; ++i) {
      const std::string word = test::random_text(random, "aaabbc", 1 + random() % 60);
      ASSERT_EQ(test::encode(tokenizer, word), brute_force(*v, word, round % 2 == 0)) << word;
    }
  }
}

TEST(Bpe, AgreesWithTheDefinitionOnTheCanarysVocabulary) {
  const Vocabulary v = test::canary_vocabulary();
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    // Letters alone are one pre-token.
    const std::string word = test::random_text(random, "etaoinshrdluthehean", 1 + random() % 40);
    ASSERT_EQ(test::encode(test::canary_tokenizer(), word), brute_force(v, word, true)) << word;
  }
}

TEST(Bpe, LeavesOutMergesThatCannotApply) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  for (int i = 0; i < 10; ++i) v.add("t" + std::to_string(i));
  v.add_merge("t 0");  // neither "t" nor "0" is a token
  v->bos = 0;
  v->eos = 1;
  const Tokenizer tokenizer = v.build();
  EXPECT_EQ(tokenizer.vocab_size(), 10U);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.bytes_of(TokenId{7}), "t7");
}

TEST(Bpe, NamesTheByteThatTheVocabularyCannotExpress) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add("a");
  const Tokenizer tokenizer = v.build();
  EXPECT_EQ(test::encode(tokenizer, "aa"), (Ids{0, 0}));
  try {
    test::encode(tokenizer, "a\xE9");
    FAIL() << "encoded";
  } catch (const UsageError& e) {
    EXPECT_TRUE(has(e.what(), "0xE9"));
  }
}

TEST(Bpe, RefusesMergesThatAreNotTwoPieces) {
  for (const auto* line : {"ab", "", " ", " ab", "ab ", "a b c", "a  b"}) {
    VocabularyBuilder v("gpt2", "llama-bpe");
    v.add_bytes();
    v.add_merge("a b");
    v.add_merge(line);
    try {
      v.build();
      FAIL() << "accepted '" << line << "'";
    } catch (const ModelError& e) {
      EXPECT_TRUE(has(e.what(), "tokenizer.ggml.merges[1]"));
    }
  }
}

TEST(Bpe, NeverMergesIntoAControlToken) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  v.add("ab", TokenType::control);
  v.add("cd", TokenType::unknown);
  v.add_merge("a b");
  v.add_merge("c d");
  EXPECT_EQ(test::encode(v.build(), "abcd"), (Ids{'a', 'b', 'c', 'd'}));
}

}  // namespace
}  // namespace bitnet
