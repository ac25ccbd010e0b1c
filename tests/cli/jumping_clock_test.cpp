// A clock on the wall that is set while a command runs.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

class JumpingClock : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef BITNET_SANITIZED
    GTEST_SKIP() << "a sanitizer's library wants to be the first";
#endif
  }
  static ChildResult run(const Args& args) {
    return run_bitnet(args, {{"LD_PRELOAD", BITNET_JUMPING_CLOCK}});
  }
};

TEST_F(JumpingClock, ChangesNoTextAndNoFigure) {
  const TempDirectory directory;
  const std::string requests = directory.file("in.jsonl");
  std::ofstream(requests) << R"({"prompt": "What is 3+4?", "max_tokens": 8})"
                          << "\n";
  const std::regex absurd(
      R"(-[0-9.]+ ?(s\b|/s|%|tokens)|\b[0-9]{4,}\.[0-9]+ s\b|\b[0-9]+:[0-9]{2}:[0-9]{2}\b|nan|inf\b)");
  for (const Args& args : {Args{"run", "-v", "-m", kCanary, "-p", "Once upon a time", "-n", "20"},
                           Args{"batch", "-v", "-m", kCanary, requests},
                           Args{"perplexity", "-v", "-m", kCanary, "-f",
                                BITNET_TEST_DATA "/perplexity/village.txt", "-c", "64"}}) {
    const ChildResult result = run(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_FALSE(std::regex_search(result.err, absurd)) << result.err;
    EXPECT_EQ(result.out, run_bitnet(args).out) << args[0];
  }
}

TEST_F(JumpingClock, SpoilsNoMeasurement) {
  const ChildResult result =
      run({"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-r", "2", "-t", "1", "-o", "csv"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(std::regex_search(result.out, std::regex(",-[0-9]"))) << result.out;
}

}  // namespace
}  // namespace bitnet::test
