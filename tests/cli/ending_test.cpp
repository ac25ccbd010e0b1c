// How a run ends when the machine or its user does not let it go on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <chrono>
#include <thread>

#include "cli/runner.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using namespace std::chrono_literals;
const Args kLong{"run", "-p", "Once upon a time", "--ignore-eos"};

const Args kJson{"run", "-p", "Once upon a time", "--json"};
const Args kJsonl{"run", "-p", "Once upon a time", "--ignore-eos", "--jsonl"};

const Args kBench{"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-r", "1", "-t", "1"};
const Args kPerplexity{"perplexity", "-f", BITNET_TEST_DATA "/perplexity/village.txt", "-c", "64"};
const Args kVerify{"verify", "-m", BITNET_TEST_DATA "/models/random-llama.gguf"};

TEST(CliStdout, ThatIsFullEndsTheRun) {
  for (const Args& args : {kLong, kJson, kJsonl, kBench, kPerplexity, kVerify, Args{"inspect"},
                           Args{"inspect", "--json"}, Args{"completions", "bash"}, Args{"completions", "man"},
                           Args{"run", "--help"}, Args{"--help"}, Args{"--version"}}) {
    ChildOptions options;
    options.args = args;
    options.stdout_fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (options.stdout_fd < 0) GTEST_SKIP() << "no /dev/full here";
    const ChildResult result = run_bitnet(options);
    ::close(options.stdout_fd);
    EXPECT_TRUE(has(refusal(result, 1), "stdout: cannot write: No space left on device"));
  }
}

// As `bitnet ... | head` does: no error, but the end that any program has there.
TEST(CliStdout, ThatNobodyReadsEndsTheRunWithoutAWord) {
  Pipe pipe;
  pipe.close_reader();
  for (const Args& args :
       {kLong, kJson, kJsonl, kBench, kPerplexity, kVerify, Args{"inspect"}, Args{"tokenize", "-p", "a"},
        Args{"detokenize", "17"}, Args{"completions", "bash"}, Args{"--help"}}) {
    ChildOptions options;
    options.args = args;
    options.stdout_fd = pipe.writer();
    const ChildResult result = run_bitnet(options);
    EXPECT_EQ(result.exit_code, 128 + SIGPIPE) << args[0];
    EXPECT_TRUE(lacks(result.err, "error")) << args[0];
  }
}

// What was begun is cleaned up first, and -q is as silent.
TEST(CliStdout, ThatNobodyReadsLeavesNoFilesBehind) {
  const TempDirectory directory;
  Pipe pipe;
  pipe.close_reader();
  ChildOptions options;
  options.args = kLong;
  options.args.insert(options.args.end(), {"-q", "--receipt", directory.file("receipt.json")});
  options.stdout_fd = pipe.writer();
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 128 + SIGPIPE);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(directory.n_files(), 0);
}

// Whoever ignores SIGPIPE (trap '' PIPE, nohup's kin) has asked for errors instead.
TEST(CliStdout, ThatNobodyReadsIsAnErrorWhereTheSignalIsIgnored) {
  Pipe pipe;
  pipe.close_reader();
  ChildOptions options;
  options.args = {"-c", "trap '' PIPE; exec \"$0\" tokenize -p a", executable()};
  options.stdout_fd = pipe.writer();
  const ChildResult result = ChildProcess("/bin/sh", options).wait();
  EXPECT_TRUE(has(refusal(result, 1), "stdout: cannot write: Broken pipe"));
}

TEST(CliStderr, ThatIsFullSpoilsNothing) {
  ChildOptions options;
  options.args = {"run", "-p", "2+2=", "-n", "2"};
  options.stderr_fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (options.stderr_fd < 0) GTEST_SKIP() << "no /dev/full here";
  const ChildResult result = run_bitnet(options);
  ::close(options.stderr_fd);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "4.");
}

// A pipe with room for about so many bytes more: it holds the run up before its text is complete, however
// fast the machine is. Returns how many bytes stand in it already.
std::size_t fill_up_to(Pipe& pipe, std::size_t room) {
  const int capacity = ::fcntl(pipe.writer(), F_SETPIPE_SZ, 4096);
  if (capacity < 0) throw std::system_error(errno, std::generic_category(), "F_SETPIPE_SZ");
  const std::string filling(static_cast<std::size_t>(capacity) - room, '.');
  if (::write(pipe.writer(), filling.data(), filling.size()) != static_cast<ssize_t>(filling.size())) {
    throw std::system_error(errno, std::generic_category(), "write");
  }
  return filling.size();
}

// Returns once the number of bytes in the pipe is above `n` and stands still.
void wait_until_held_up(const Pipe& pipe, std::size_t n) {
  int before = -1;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (int now = 0; std::chrono::steady_clock::now() < deadline; before = now) {
    std::this_thread::sleep_for(200ms);
    ASSERT_EQ(::ioctl(pipe.reader(), FIONREAD, &now), 0);
    if (now > static_cast<int>(n) && now == before) return;
  }
  FAIL() << "no text came";
}

// A command held up by a pipe that has room for less than its text ends at a signal, and what it wrote, more
// than `least` bytes, is how its text begins.
void expect_the_text_so_far(const Args& args, std::size_t room, int signal, std::size_t least) {
  const std::string whole = text_of(args);
  Pipe pipe;
  const std::size_t n_filling = fill_up_to(pipe, room);
  ChildOptions options;
  options.args = args;
  options.stdout_fd = pipe.writer();
  options.timeout = 30s;
  ChildProcess child(executable(), options);
  wait_until_held_up(pipe, n_filling);
  child.send(signal);
  const ChildResult result = child.wait();
  pipe.close_writer();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_TRUE(lacks(result.err, "error"));
  const std::string text = pipe.read_all().substr(n_filling);
  EXPECT_GT(text.size(), least);
  EXPECT_EQ(text, whole.substr(0, text.size()));
}

class CliSignal : public ::testing::TestWithParam<int> {};

TEST_P(CliSignal, EndsACommandThatIsHeldUpWithTheTextSoFar) {
  struct Command {
    Args args;
    std::size_t room;  // for what it writes: less than that
  };
  // One writes a little at a time, the others everything at once.
  for (const auto& [args, room] :
       {Command{kLong, 100}, Command{{"inspect", "--json"}, 4096}, Command{{"completions", "bash"}, 4096}}) {
    SCOPED_TRACE(args[0]);
    expect_the_text_so_far(args, room, GetParam(), 50);
  }
}

// Of what is held up only the line that was being written is cut.
TEST_P(CliSignal, EndsLinesOfJsonWithTheLineSoFar) { expect_the_text_so_far(kJsonl, 1000, GetParam(), 900); }

TEST_P(CliSignal, LeavesNoReceipt) {
  const TempDirectory directory;
  Pipe pipe;
  const std::size_t n_filling = fill_up_to(pipe, 100);
  ChildOptions options;
  options.args = kLong;
  options.args.insert(options.args.end(), {"--receipt", directory.file("receipt.json")});
  options.stdout_fd = pipe.writer();
  options.timeout = 30s;
  ChildProcess child(executable(), options);
  wait_until_held_up(pipe, n_filling);
  EXPECT_EQ(directory.n_files(), 0);  // a second signal would leave it there
  child.send(GetParam());
  EXPECT_EQ(child.wait().exit_code, 130);
  EXPECT_EQ(directory.n_files(), 0);
}

TEST_P(CliSignal, EndsTheWaitForAPrompt) {
  for (const char* command : {"run", "tokenize", "detokenize", "perplexity"}) {
    Pipe pipe;
    ChildOptions options;
    options.args = {command, "-f", "-"};
    options.stdin_fd = pipe.reader();
    options.timeout = 30s;
    ASSERT_EQ(::write(pipe.writer(), "Once upon", 9), 9);
    ChildProcess child(executable(), options);
    int unread = 9;
    while (unread > 0) {
      ASSERT_EQ(::ioctl(pipe.reader(), FIONREAD, &unread), 0);
      std::this_thread::sleep_for(5ms);
    }
    std::this_thread::sleep_for(50ms);  // from the end of one read to the wait in the next
    child.send(GetParam());
    const ChildResult result = child.wait();
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Both, CliSignal, ::testing::Values(SIGINT, SIGTERM), name_of_signal);

}  // namespace
}  // namespace bitnet::test
