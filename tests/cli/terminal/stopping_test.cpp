// What a command says and shows on a terminal while it works, and when it is told to stop.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "cli/chat/terminal.h"
#include "cli/runner.h"

namespace bitnet::test {
namespace {

class Stopping : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!terminal.exists()) GTEST_SKIP() << "no pseudoterminals here";
    // A window for every token: it has not ended before it is stopped.
    options.args = {"perplexity", "-f", BITNET_TEST_DATA "/perplexity/village.txt", "-c", "256",
                    "--stride",   "1"};
    options.environment = {{"TERM", "xterm"}};
    options.stderr_fd = terminal.descriptor();
  }
  Terminal terminal;
  ChildOptions options;
};

TEST_F(Stopping, IsSaidAtOnceAndLeavesNothingBehind) {
  ChildProcess child(executable(), options);
  ASSERT_TRUE(terminal.shows("perplexity [")) << terminal.unseen();
  child.send(SIGINT);
  EXPECT_TRUE(terminal.shows("\r\x1b[Kstopping ...")) << terminal.unseen();
  EXPECT_EQ(child.wait().exit_code, 130);
  EXPECT_TRUE(terminal.read_all().ends_with("\r\x1b[K"));
}

TEST_F(Stopping, IsNotSaidWhereNothingIsToBe) {
  options.args.insert(options.args.end(), {"-q"});
  options.stdin_fd = terminal.descriptor();
  ChildProcess child(executable(), options);
  child.send(SIGTERM);
  EXPECT_NE(child.wait().exit_code, 0);  // by the handler, or before there was one
  EXPECT_EQ(terminal.read_all(), "");
}

// The same text, with line breaks in the place of spaces.
TEST(Wrapping, BreaksTheLinesOfARunBetweenWords) {
  const auto shown = [](unsigned short columns, const Args& more) {
    Terminal terminal(columns);
    ChildOptions options;
    options.args = {"run", "-q", "-p", "Once upon a time", "-n", "60"};
    options.args.insert(options.args.end(), more.begin(), more.end());
    options.stdout_fd = terminal.descriptor();
    EXPECT_EQ(run_bitnet(options).exit_code, 0);
    std::string text = terminal.read_all();
    std::erase(text, '\r');
    return text;
  };
  if (!Terminal().exists()) GTEST_SKIP() << "no pseudoterminals here";
  const std::string plain = text_of({"run", "-q", "-p", "Once upon a time", "-n", "60"});
  EXPECT_EQ(shown(30, {"--no-wrap"}), plain + "\n");
  const std::string wrapped = shown(30, {});
  for (const std::string& line : lines_of(wrapped)) EXPECT_LE(line.size(), 30U) << line;
  std::string joined = wrapped;
  std::string original = plain + "\n";
  EXPECT_GT(lines_of(joined).size(), lines_of(original).size());
  for (std::string* text : {&joined, &original}) std::ranges::replace(*text, '\n', ' ');
  EXPECT_EQ(joined, original);
}

}  // namespace
}  // namespace bitnet::test
