#include "tokenizer/special_tokens.h"

#include <gtest/gtest.h>

#include <string>

#include "bitnet/error.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::VocabularyBuilder;
using Ids = std::vector<std::int32_t>;

TEST(SpecialTokens, TheLongestAtTheEarliestPlaceIsTaken) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add_bytes();
  const std::int32_t ab = v.add("[ab]", TokenType::control);
  const std::int32_t ab2 = v.add("[ab][ab]", TokenType::control);
  const std::int32_t b = v.add("b][abc", TokenType::control);
  const Tokenizer t = v.build();
  const EncodeOptions parse{.parse_special = true};
  EXPECT_EQ(test::encode(t, "x[ab]y", parse), (Ids{'x', ab, 'y'}));
  EXPECT_EQ(test::encode(t, "[ab][ab][ab]", parse), (Ids{ab2, ab}));
  EXPECT_EQ(test::encode(t, "[ab][abc", parse), (Ids{ab, '[', 'a', 'b', 'c'}));
  EXPECT_EQ(test::encode(t, "b][abc]", parse), (Ids{b, ']'}));
  EXPECT_EQ(test::encode(t, "[a", parse), (Ids{'[', 'a'}));
}

TEST(SpecialTokens, AgreeWithASearchForEachOnRandomTexts) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    VocabularyBuilder v("gpt2");
    for (int i = 0; i < 20; ++i)
      v.add(test::random_text(random, "<|a", 1 + random() % 5), TokenType::control);
    const TokenTable table(v->pieces, v->types);
    const SpecialTokens special(table, true);
    const std::string text = test::random_text(random, "<|ab", 200);
    std::size_t at = 0;
    for (;;) {
      std::size_t begin = std::string::npos;
      std::string_view longest;
      for (const std::string_view piece : v->pieces) {
        const std::size_t found = text.find(piece, at);
        if (found < begin ||
            (found == begin && found != std::string::npos && piece.size() > longest.size())) {
          begin = found;
          longest = piece;
        }
      }
      const auto match = special.next(text, at);
      ASSERT_EQ(match.has_value(), begin != std::string::npos);
      if (!match) break;
      ASSERT_EQ(match->begin, begin);
      ASSERT_EQ(match->length, longest.size());
      ASSERT_EQ(match->id, table.find(longest));  // the first of equal ones
      at = match->begin + match->length;
    }
  }
}

TEST(SpecialTokens, UserDefinedOnesAreRecognisedInAnyTextAndControlOnesOnlyOnRequest) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  const std::int32_t user = v.add("<think>", TokenType::user_defined);
  const std::int32_t control = v.add("<ctl>", TokenType::control);
  const Tokenizer t = v.build();
  EXPECT_EQ(test::encode(t, "<think><ctl>"), (Ids{user, '<', 'c', 't', 'l', '>'}));
  EXPECT_EQ(test::encode(t, "<think><ctl>", {.parse_special = true}), (Ids{user, control}));
  EXPECT_EQ(t.bytes_of(TokenId{user}), "<think>");
}

TEST(SpecialTokens, OfUnboundedLengthAreRefused) {
  VocabularyBuilder v("gpt2");
  v.add(std::string(257, 'x'), TokenType::control);
  EXPECT_THROW(v.build(), ModelError);
}

}  // namespace
}  // namespace bitnet
