// `bitnet serve` as its user sees it: what it says, and how it ends.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "cli/runner.h"
#include "support/pipe.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

class ServeSignal : public ::testing::TestWithParam<int> {};

TEST_P(ServeSignal, EndsWellWhenItIsToldTo) {
  Pipe messages;
  ChildOptions options;
  options.args = {"serve", "-m", kCanary, "--port", "0"};
  options.stderr_fd = messages.writer();
  ChildProcess child(executable(), options);
  std::string said;
  for (char c = 0; c != '\n' && ::read(messages.reader(), &c, 1) == 1;) said += c;
  EXPECT_TRUE(has(said, "canary is served at http://127.0.0.1:"));
  child.send(GetParam());
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(Each, ServeSignal, ::testing::Values(SIGINT, SIGTERM), name_of_signal);

TEST(Serve, RefusesWhatCannotBeBeforeAModelIsLoaded) {
  const std::vector<std::pair<Args, std::string>> all{
      {{"--port", "65536"}, "--port 65536 is too large"},
      {{"--port", "x"}, "--port 'x'"},
      {{"--max-tokens", "0"}, "--max-tokens"},
      {{"--timeout", "-1"}, "--timeout"},
      {{"--timeout", "nan"}, "--timeout"},
      {{"--max-body", "5"}, "--max-body"},
      {{"--queue", "100000"}, "--queue"},
      {{"--cors", "example.org"}, "--cors 'example.org'"},
      {{"--cors", "https://example.org/path"}, "--cors"},
      {{"--api-key", "with space"}, "API key"},
      {{"--api-key", "a", "--api-key-file", "/dev/null"}, "give one of them"},
      {{"--api-key-file", "/dev/null"}, "is empty"},
      {{"--name", "a\nb"}, "--name 'a\\nb'"},
      {{"--name", "two words"}, "--name 'two words'"},
      {{"--host", ""}, "--host"}};
  for (const auto& [args, message] : all) {
    EXPECT_TRUE(has(refusal(run_bitnet(with({"serve", "-m", "/nonexistent"}, args)), 2), message));
  }
}

TEST(Serve, RefusesWhatTheModelCannotDo) {
  const auto serve = [](const Args& args) {
    return refusal(run_bitnet(with({"serve", "-m", kCanary}, args)), 2);
  };
  EXPECT_TRUE(has(serve({"--think", "on"}), "--think on"));
  EXPECT_TRUE(has(serve({"--ctx-size", "100000000"}), "--ctx-size 100000000"));
  EXPECT_TRUE(has(serve({"--sequences", "0"}), "--sequences 0"));
  EXPECT_TRUE(has(serve({"--kv-tokens", "8"}), "--kv-tokens 8"));
  EXPECT_TRUE(has(serve({"--profile"}), "--profile"));
}

TEST(Serve, SaysThatItCannotListen) {
  EXPECT_TRUE(has(refusal(run_bitnet({"serve", "-m", kCanary, "-q", "--host", "no.such.host.invalid"}), 1),
                  "cannot listen on no.such.host.invalid"));
}

}  // namespace
}  // namespace bitnet::test
