// --head ...-cached and --head-cache as their user sees them. What is in the file is tested in
// tests/model/head/head_cache_test.cpp.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "cli/runner.h"
#include "support/small_model.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
class CliHead : public ::testing::Test {
 protected:
  CliHead() { fs::copy_file(BITNET_MODELS "/canary.gguf", path_); }

  Args run(const std::string& head, const Args& more = {}) const {
    return with({"run", "-m", path_, "-p", "The capital of France is", "-n", "4", "--head", head}, more);
  }

  TempDirectory directory_;
  std::string path_ = directory_.file("model.gguf");
  std::string cache_ = path_ + ".int8-head";
};

TEST_F(CliHead, KeepsTheCopyBesideTheModelAndSaysSoOnce) {
  const std::string text = text_of(run("int8"));
  EXPECT_EQ(directory_.n_files(), 1);

  const ChildResult first = run_bitnet(run("int8-cached"));
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_EQ(first.out, text);
  const std::vector<std::string> lines = lines_of(first.err);
  ASSERT_EQ(lines.size(), 2U) << first.err;
  EXPECT_TRUE(std::regex_match(
      lines[0], std::regex("info: " + cache_ + ": 0\\.3 MiB, the int8 copy of the head, written in .* s")))
      << lines[0];
  EXPECT_TRUE(fs::exists(cache_));

  const ChildResult second = run_bitnet(run("int8-cached"));
  EXPECT_EQ(second.out, text);
  EXPECT_EQ(lines_of(second.err).size(), 1U) << second.err;  // of the prompt and text
  const std::string details = run_bitnet(run("int8-cached", {"-v"})).err;
  EXPECT_TRUE(has(details, "0.3 MiB more mapped from " + cache_ + " in "));
  EXPECT_EQ(run_bitnet(run("int8-cached", {"-q"})).err, "");
}

TEST_F(CliHead, SaysInALineWhyAFileIsNotUsed) {
  std::ofstream(cache_) << "hello";
  const ChildResult result = run_bitnet(run("int8-cached"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, text_of(run("int8")));
  EXPECT_EQ(lines_of(result.err).front(), "info: " + cache_ + ": is cut short; the copy is made anew");
  EXPECT_EQ(lines_of(run_bitnet(run("int8-cached")).err).size(), 1U);
}

TEST_F(CliHead, KeepsTheScreenBesideTheModelAndSaysSoOnce) {
  const std::string screen = path_ + ".screened-head";
  const std::string text = text_of(run("exact"));
  const ChildResult first = run_bitnet(run("screened-cached"));
  EXPECT_EQ(first.out, text);
  EXPECT_TRUE(std::regex_match(
      lines_of(first.err).front(),
      std::regex("info: " + screen + ": 0\\.. MiB, the screen of the head, written in .* s")))
      << first.err;
  const ChildResult second = run_bitnet(run("screened-cached", {"-v"}));
  EXPECT_EQ(second.out, text);
  EXPECT_TRUE(has(second.err, "head screened: "));
  EXPECT_TRUE(has(second.err, " MiB more mapped from " + screen + " in "));
}

TEST_F(CliHead, KeepsTheCopyInAnotherDirectoryWhenAsked) {
  const TempDirectory place;
  const Args args = run("screened-cached", {"--head-cache", place.path(), "-v"});
  const std::string text = text_of(run("exact"));
  EXPECT_EQ(text_of(args), text);
  EXPECT_EQ(place.n_files(), 1);
  EXPECT_EQ(directory_.n_files(), 1);
  EXPECT_TRUE(has(run_bitnet(args).err, " MiB more mapped from " + place.path()));

  ChildOptions of_user;
  of_user.args = run("screened-cached", {"--head-cache", "user"});
  of_user.environment = {{"XDG_CACHE_HOME", place.path()}};
  EXPECT_EQ(run_bitnet(of_user).out, text);
  EXPECT_TRUE(fs::exists(place.file("bitnet")));
  EXPECT_EQ(directory_.n_files(), 1);
}

// Nobody, not even root, can make a file in the system's list of open ones.
TEST_F(CliHead, DoesWithoutAFileThatCannotBeMade) {
  ChildOptions options;
  options.args = {"run", "-m", "/dev/fd/0", "-p",         "The capital of France is",
                  "-n",  "4",  "--head",    "int8-cached"};
  options.stdin_fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  const ChildResult result = run_bitnet(options);
  ::close(options.stdin_fd);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, text_of(run("int8")));
  const std::vector<std::string> lines = lines_of(result.err);
  ASSERT_EQ(lines.size(), 2U) << result.err;
  EXPECT_TRUE(lines[0].starts_with("warning: /dev/fd/0.int8-head: cannot make the file: ")) << lines[0];
  EXPECT_TRUE(lines[0].ends_with("; the copy of the head is not kept")) << lines[0];
}

TEST_F(CliHead, LeavesADirectoryOfThatNameAlone) {
  fs::create_directory(cache_);
  const ChildResult result = run_bitnet(run("int8-cached"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, text_of(run("int8")));
  const std::vector<std::string> lines = lines_of(result.err);
  ASSERT_EQ(lines.size(), 2U) << result.err;
  EXPECT_EQ(lines[0], "warning: " + cache_ + ": is not a regular file; the copy of the head is not kept");
}

TEST_F(CliHead, ServesBenchAndChat) {
  const ChildResult bench =
      run_bitnet({"bench", "-m", path_, "-p", "0", "-n", "4", "-r", "1", "--head", "int8-cached"});
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
  EXPECT_TRUE(has(bench.err, "written in "));
  ChildOptions chat;
  chat.args = {"chat", "-v", "-m", path_, "--head", "int8-cached"};
  chat.stdin_text = "What is 3+4?\n";
  const ChildResult answer = run_bitnet(chat);
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_TRUE(has(answer.err, "mapped from " + cache_));
}

TEST(CliHeadUsage, RefusesWhatHasNoFileAndUnknownKinds) {
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-p", "a", "--head", "int8-cached"}), 2),
                  "load a file, or keep no copy"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"bench", "--synthetic", "tiny", "--head", "int8-cached"}), 2), "--synthetic"));
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-p", "a", "--head", "int9"}), 2),
                  "choose from exact, int8, int8-cached, screened, screened-cached"));
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-p", "a", "--head-cache", "beside"}), 2),
                  "--head-cache has no effect without"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"run", "-p", "a", "--head", "screened-cached", "--head-cache", "nowhere"}), 2),
          "--head-cache 'nowhere' is not a directory"));
}

TEST(CliHeadUsage, RefusesTheInt8CopyOfAHeadThatIsSmallerThanThat) {
  SmallTensor ternary{"output.weight", {128, 300}, kI2S, {}};
  ternary.draw(5);
  SmallModel small("llama");
  small.add(ternary);
  const AlignedBytes bytes = small.build();
  const TempFile file(bytes.span());
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-q", "-m", file.path(), "-p", "a", "--head", "int8"}), 2),
                  "--head int8 gains nothing; leave it out"));
}

}  // namespace
}  // namespace bitnet::test
