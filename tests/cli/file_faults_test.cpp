// What others do to a model's file while it is in use.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/runner.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;

// A conversation that is held in the middle: its first answer has come.
class FileInUse : public ::testing::Test {
 protected:
  FileInUse() {
    fs::copy_file(kCanary, model_);
    ChildOptions options;
    options.args = {"chat", "-q", "-m", model_, "-t", "1"};
    options.stdin_fd = asked_.reader();
    options.stdout_fd = answered_.writer();
    chat_.emplace(executable(), options);
    asked_.close_reader();
    answered_.close_writer();
    ask("What is 3+4?\n");
    for (char c = 0; c != '\n' && ::read(answered_.reader(), &c, 1) == 1;) first_ += c;
    EXPECT_EQ(first_, "3+4=7.\n");
  }

  void ask(std::string_view line) const {
    EXPECT_EQ(::write(asked_.writer(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  ChildResult end_with(std::string_view line) {
    ask(line);
    asked_.close_writer();
    ChildResult result = chat_->wait();
    result.out = answered_.read_all();
    return result;
  }

  TempDirectory directory_;
  std::string model_ = directory_.file("model.gguf");
  Pipe asked_;
  Pipe answered_;
  std::optional<ChildProcess> chat_;
  std::string first_;
};

TEST_F(FileInUse, CutShortEndsTheProgramWithItsName) {
  fs::resize_file(model_, 4096);
  const ChildResult result = end_with("What color is the sky?\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "error: " + model_ +
                ": became shorter or could not be read while it was in use; leave it alone, replace "
                "files by renaming others, and run again\n");
}

// Of it the keys and values are mapped, and read for every token.
TEST(PromptCacheInUse, CutShortEndsTheProgramWithItsName) {
  const TempDirectory directory;
  const std::string cache = directory.file("prompt.kv");
  // More than a block of positions, so that there is something to map.
  const std::string long_prompt = std::string(200, 'a') + "\n";
  const Args args{"run",     "-q", "-m",  kCanary, "--prompt-cache", cache, "--ignore-eos",
                  "--jsonl", "-n", "200", "-p",    long_prompt};
  ASSERT_EQ(run_bitnet(args).exit_code, 0);
  Pipe out;
  ASSERT_GT(::fcntl(out.writer(), F_SETPIPE_SZ, 4096), 0);
  ChildOptions options;
  options.args = args;
  options.stdout_fd = out.writer();
  ChildProcess child(executable(), options);
  out.close_writer();
  char first = 0;
  ASSERT_EQ(::read(out.reader(), &first, 1), 1);  // and then the pipe is soon full
  fs::resize_file(cache, 4096);
  out.read_all();
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(
      has(result.err, "error: " + cache + ": became shorter or could not be read while it was in use"));
}

TEST_F(FileInUse, WrittenToMakesTheRunAFailure) {
  const int file = ::open(model_.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_EQ(::pwrite(file, "GGUF", 4, 0), 4);
  ::close(file);
  const ChildResult result = end_with("What color is the sky?\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "The sky is blue.\n");
  EXPECT_TRUE(has(result.err, "error: " + model_ + ": was written to while it was in use"));
}

TEST_F(FileInUse, ReplacedOrRemovedByItsNameGoesOnAsItWas) {
  const std::string other = directory_.file("other.gguf");
  fs::copy_file(kRandom, other);
  fs::rename(other, model_);
  fs::remove(model_);
  const ChildResult result = end_with("What color is the sky?\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "The sky is blue.\n");
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace bitnet::test
