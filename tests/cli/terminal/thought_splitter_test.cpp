#include "cli/terminal/thought_splitter.h"

#include <gtest/gtest.h>

#include <string>

namespace bitnet::cli {
namespace {

// The answer with its thinking between brackets, given in pieces of `size` characters.
std::string split(const std::string& answer, std::size_t size, bool has_begun = false) {
  ThoughtSplitter splitter(has_begun);
  std::string thinking;
  std::string rest;
  const auto take = [&](std::string_view part, bool is_thinking) {
    EXPECT_TRUE(!is_thinking || rest.empty());
    (is_thinking ? thinking : rest) += part;
  };
  for (std::size_t at = 0; at < answer.size(); at += size) splitter.push(answer.substr(at, size), take);
  splitter.finish(take);
  return "[" + thinking + "]" + rest;
}

TEST(ThoughtSplitter, TellsTheThinkingFromTheAnswerHoweverItComes) {
  for (const std::size_t size : {1U, 2U, 3U, 7U, 8U, 100U}) {
    EXPECT_EQ(split("<think>\na < b\n</think>\n\nb", size), "[<think>\na < b\n</think>]\n\nb");
    EXPECT_EQ(split(" \n<think></think>", size), "[ \n<think></think>]");
    EXPECT_EQ(split("<think>a</<</think>b</think>", size), "[<think>a</<</think>]b</think>");
    EXPECT_EQ(split("<think>never", size), "[<think>never]");
    EXPECT_EQ(split("<thin", size), "[]<thin");
    EXPECT_EQ(split("<thin>k", size), "[]<thin>k");
    EXPECT_EQ(split("I <think> so</think>", size), "[]I <think> so</think>");
    EXPECT_EQ(split("", size), "[]");
    EXPECT_EQ(split("a</think>b", size, /*has_begun=*/true), "[a</think>]b");
  }
}

TEST(ThoughtSplitter, HoldsBackOnlyWhatMayBecomeATag) {
  ThoughtSplitter splitter;
  std::string out;
  const auto take = [&](std::string_view part, bool /*is_thinking*/) { out += part; };
  splitter.push("<think", take);
  EXPECT_EQ(out, "");
  splitter.push(">a</thi", take);
  EXPECT_EQ(out, "<think>a</thi");
}

}  // namespace
}  // namespace bitnet::cli
