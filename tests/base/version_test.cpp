// What the library says of itself.
#include "bitnet/version.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace bitnet {
namespace {

TEST(Version, IsThatOfTheHeader) {
  EXPECT_EQ(version(), std::to_string(BITNET_VERSION_MAJOR) + "." + std::to_string(BITNET_VERSION_MINOR) +
                           "." + std::to_string(BITNET_VERSION_PATCH));
}

TEST(Version, NamesACommitOrSaysThatNoneIsKnown) {
  std::string_view text = commit();
  if (text == "unknown") return;
  if (text.ends_with("-dirty")) text.remove_suffix(std::string_view("-dirty").size());
  EXPECT_EQ(text.size(), 40U);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  })) << text;
}

}  // namespace
}  // namespace bitnet
