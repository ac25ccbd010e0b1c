// Where tokens begin in a text, in characters.
#include "service/http/api/text_offset.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/canary.h"

namespace bitnet::test {
namespace {

// Of the tokens of a text, each a byte or more; the last is the length.
std::vector<std::int64_t> offsets_of(std::string_view text) {
  http::TextOffset offset(canary().tokenizer(), false);
  std::vector<std::int64_t> offsets{offset.value()};
  for (const TokenId id : canary().tokenizer().encode(text, {.add_bos = false})) {
    offset.pass(id);
    offsets.push_back(offset.value());
  }
  return offsets;
}

TEST(TextOffset, CountsCharactersAndNotBytes) {
  const std::vector<std::int64_t> of_letters = offsets_of("a\u00E9b");
  EXPECT_EQ(of_letters.front(), 0);
  EXPECT_EQ(of_letters.back(), 3);
}

// They stand in the text as U+FFFD each.
TEST(TextOffset, CountsBytesThatAreNoCharacter) {
  EXPECT_EQ(offsets_of("a\xBE\xBE"
                       "b")
                .back(),
            4);
  EXPECT_EQ(offsets_of("\x95").back(), 1);
  EXPECT_EQ(offsets_of("\xE5\xDD"
                       "a")
                .back(),
            3);
}

TEST(TextOffset, ATokenWithinACharacterBeginsBehindIt) {
  http::TextOffset offset(canary().tokenizer(), false);
  const auto ids = canary().tokenizer().encode("\xE6\x97", {.add_bos = false});  // two of a character's three
  ASSERT_EQ(ids.size(), 2U);
  offset.pass(ids[0]);
  EXPECT_EQ(offset.value(), 1);
  offset.pass(ids[1]);
  EXPECT_EQ(offset.value(), 1);
  offset.move_by(7);
  EXPECT_EQ(offset.value(), 8);
}

}  // namespace
}  // namespace bitnet::test
