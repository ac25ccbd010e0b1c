#include "engine/draft_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <vector>

#include "engine/allocation_count.h"

namespace bitnet {
namespace {

// A token for each character.
DraftIndex index_of(std::string_view text) {
  DraftIndex index(text.size() + 8);
  for (const char c : text) index.push(TokenId{c});
  return index;
}

std::string copied(const DraftIndex& index, std::size_t n) {
  std::vector<TokenId> out(n);
  index.copy(index.find(), out);
  std::string text;
  for (const TokenId id : out) text += static_cast<char>(to_int(id));
  return text;
}

TEST(DraftIndex, FindsNothingWhereNothingCameBefore) {
  EXPECT_EQ(index_of("").find().length, 0U);
  EXPECT_EQ(index_of("a").find().length, 0U);
  EXPECT_EQ(index_of("abcdefgh").find().length, 0U);
  EXPECT_EQ(index_of("abcdefa").find().length, 0U);  // one token tells too little
}

TEST(DraftIndex, FindsWhatFollowedTheEndBefore) {
  const DraftIndex index = index_of("the cat sat, the cat");
  EXPECT_EQ(index.find().length, 7U);
  EXPECT_EQ(index.find().next, 7U);
  EXPECT_EQ(copied(index, 5), " sat,");
}

TEST(DraftIndex, PrefersTheLongestMatchAndOfEqualsTheLatest) {
  EXPECT_EQ(copied(index_of("xyabc1 zabc2 bc3 yabc"), 1), "1");
  EXPECT_EQ(copied(index_of("abc1 abc2 abc"), 1), "2");
}

TEST(DraftIndex, FindsALongMatchBehindManyShortOnes) {
  std::string text = "the long way round?";
  for (int i = 0; i < 200; ++i) text += " d" + std::string(1, static_cast<char>('!' + i % 90));
  const DraftIndex index = index_of(text + "the long way round");
  EXPECT_EQ(copied(index, 1), "?");
}

TEST(DraftIndex, GoesOnWithItsOwnGuessesWhereTheTextEnds) {
  EXPECT_EQ(copied(index_of("ababab"), 7), "abababa");
  EXPECT_EQ(copied(index_of("xxxx"), 3), "xxx");
}

// Against looking at every place, on texts with many repeats of all lengths.
TEST(DraftIndex, FindsTheLongestMatchThatThereIs) {
  std::mt19937 random(5);
  for (const unsigned n_kinds : {3U, 8U, 30U}) {
    DraftIndex index(400);
    std::vector<TokenId> text;
    std::size_t n_found = 0;
    std::size_t n_longest = 0;
    while (text.size() < 400) {
      std::vector<TokenId> piece{TokenId{static_cast<std::int32_t>(random() % n_kinds)}};
      if (random() % 8 == 0 && text.size() > 60) {
        const std::size_t from = random() % (text.size() - 50);
        piece.assign(text.begin() + static_cast<std::ptrdiff_t>(from),
                     text.begin() + static_cast<std::ptrdiff_t>(from + random() % 50));
      }
      for (const TokenId id : piece) {
        if (text.size() == 400) break;
        text.push_back(id);
        index.push(id);
        std::size_t longest = 0;
        for (std::size_t end = 1; end < text.size(); ++end) {
          std::size_t n = 0;
          while (n < std::min(end, DraftIndex::kMaxLength) &&
                 text[end - 1 - n] == text[text.size() - 1 - n]) {
            ++n;
          }
          longest = std::max(longest, n);
        }
        const DraftMatch match = index.find();
        ASSERT_LE(match.length, longest);
        if (match.length > 0) {
          ASSERT_TRUE(std::equal(text.end() - static_cast<std::ptrdiff_t>(match.length), text.end(),
                                 text.begin() + static_cast<std::ptrdiff_t>(match.next - match.length)));
        }
        n_found += longest >= 2 ? 1 : 0;
        n_longest += longest >= 2 && match.length == longest ? 1 : 0;
      }
    }
    EXPECT_GT(n_longest, n_found * 95 / 100) << n_kinds;
  }
}

TEST(DraftIndex, AllocatesNothingForATokenAndTakesAsManyAsItWasMadeFor) {
  DraftIndex index(5000);
  const std::size_t before = test::allocation_count();
  for (std::int32_t i = 0; i < 5000; ++i) index.push(TokenId{i * i % 77});
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_EQ(index.size(), 5000U);
}

}  // namespace
}  // namespace bitnet
