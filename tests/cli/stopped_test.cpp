// A process that is stopped in the middle, as by Ctrl-Z, and goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/runner.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

std::string line_from(const Pipe& pipe) {
  std::string line;
  for (char c = 0; c != '\n' && ::read(pipe.reader(), &c, 1) == 1;) line += c;
  return line;
}

// With a pipe that holds far less than it writes: it is in the middle when it is stopped.
void expect_to_go_on(const Args& args) {
  const std::string whole = text_of(args);
  Pipe out;
  ASSERT_GT(::fcntl(out.writer(), F_SETPIPE_SZ, 4096), 0);
  ASSERT_GT(whole.size(), 10'000U);
  ChildOptions options;
  options.args = args;
  options.stdout_fd = out.writer();
  ChildProcess child(executable(), options);
  out.close_writer();
  std::string text = line_from(out);
  child.stop_and_continue();
  text += out.read_all();
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(text, whole) << args[0];
}

TEST(Stopped, RunGoesOnWithTheSameText) {
  expect_to_go_on(
      {"run", "-q", "-m", kCanary, "-p", "Once upon a time", "--ignore-eos", "-n", "300", "--jsonl"});
}

TEST(Stopped, BatchGoesOnWithTheSameLines) {
  const TempDirectory directory;
  const std::string requests = directory.file("in.jsonl");
  std::ofstream file(requests);
  for (int i = 0; i < 60; ++i)
    file << R"({"prompt": "What is 3+4?", "max_tokens": 6})"
         << "\n";
  file.close();
  expect_to_go_on({"batch", "-q", "-m", kCanary, requests});
}

TEST(Stopped, ChatWaitsForItsNextLineAsBefore) {
  Pipe asked;
  Pipe answered;
  ChildOptions options;
  options.args = {"chat", "-q", "-m", kCanary};
  options.stdin_fd = asked.reader();
  options.stdout_fd = answered.writer();
  ChildProcess child(executable(), options);
  asked.close_reader();
  answered.close_writer();
  const auto ask = [&](std::string_view line) {
    EXPECT_EQ(::write(asked.writer(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  };
  ask("What is 3+4?\n");
  EXPECT_EQ(line_from(answered), "3+4=7.\n");
  child.stop_and_continue();
  ask("What color is the sky?\n");
  EXPECT_EQ(line_from(answered), "The sky is blue.\n");
  asked.close_writer();
  EXPECT_EQ(child.wait().exit_code, 0);
}

// It waits for signals, and for clients in other threads.
TEST(Stopped, ServeEndsNoSoonerThanItIsTold) {
  Pipe messages;
  ChildOptions options;
  options.args = {"serve", "-m", kCanary, "--port", "0"};
  options.stderr_fd = messages.writer();
  ChildProcess child(executable(), options);
  EXPECT_TRUE(has(line_from(messages), "is served at"));
  child.stop_and_continue();
  child.stop_and_continue();
  child.send(SIGTERM);
  EXPECT_EQ(child.wait().exit_code, 0);
}

}  // namespace
}  // namespace bitnet::test
