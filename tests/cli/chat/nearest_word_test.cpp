#include "cli/chat/nearest_word.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitnet::cli {
namespace {

const std::vector<std::string> kWords{"save", "load", "stats", "exit"};

TEST(NearestWord, IsAtMostAThirdOfItsLettersAway) {
  EXPECT_EQ(nearest_word("svae", kWords), "save");   // swapped
  EXPECT_EQ(nearest_word("loadd", kWords), "load");  // one too many
  EXPECT_EQ(nearest_word("stat", kWords), "stats");
  EXPECT_EQ(nearest_word("exot", kWords), "exit");
  EXPECT_EQ(nearest_word("sxyt", kWords), std::nullopt);
  EXPECT_EQ(nearest_word("", kWords), std::nullopt);
  EXPECT_EQ(nearest_word(std::string(100, 's'), kWords), std::nullopt);
  EXPECT_EQ(nearest_word("save", {}), std::nullopt);
}

}  // namespace
}  // namespace bitnet::cli
