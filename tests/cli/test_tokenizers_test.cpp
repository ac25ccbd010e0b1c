// scripts/test-tokenizers where it cannot do its work; what it does otherwise takes a network and minutes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

const std::string kBash = "/bin/bash";

ChildResult test_tokenizers(const Args& args) {
  ChildOptions options;
  options.args = with({BITNET_SCRIPTS "/test-tokenizers"}, args);
  options.environment = {{"PATH", ""}};  // and so no npm
  return ChildProcess(kBash, options).wait();
}

TEST(TestTokenizersScript, SaysThatItIsSkippedWithoutNpm) {
  if (::access(kBash.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kBash << " here";
  const ChildResult result = test_tokenizers({executable()});
  EXPECT_EQ(result.exit_code, 77);
  EXPECT_TRUE(has(result.out, "skipped: there is no node or no npm here"));
}

TEST(TestTokenizersScript, NamesTheExecutableThatThereIsNot) {
  if (::access(kBash.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kBash << " here";
  const ChildResult result = test_tokenizers({"/no/bitnet"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "/no/bitnet is no executable"));
}

}  // namespace
}  // namespace bitnet::test
