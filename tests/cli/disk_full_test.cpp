// A disk that is full before all of a file is written, for every command that writes one; batch, which adds
// to its file, has its own tests.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "cli/chat/talk.h"
#include "cli/runner.h"
#include "support/file_size_limit.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
class FullDisk : public ::testing::Test {
 protected:
  // Its streams are pipes: those may become as long as they like.
  static ChildResult run(const Args& args, const std::string& stdin_text = "", int stdout_fd = -1) {
    Pipe out;
    Pipe err;
    ChildOptions options;
    options.args = args;
    options.stdin_text = stdin_text;
    options.stdout_fd = stdout_fd < 0 ? out.writer() : stdout_fd;
    options.stderr_fd = err.writer();
    ChildResult result = [&] {
      const FileSizeLimit limit(kRoom);
      return ChildProcess(executable(), options).wait();
    }();
    out.close_writer();
    err.close_writer();
    result.out = out.read_all();
    result.err = err.read_all();
    return result;
  }
  std::string old(const std::string& name) const {
    std::ofstream(directory_.file(name)) << "old";
    return directory_.file(name);
  }

  static constexpr rlim_t kRoom = 200;
  static constexpr const char* kReason = ": cannot write the file: File too large";

  TempDirectory directory_;
};

TEST_F(FullDisk, LeavesTheOldFileAndIsToldWithItsName) {
  const TempDirectory others;
  const std::string trace = others.file("a.npz");
  text_of({"trace", "-q", "-p", "Hi", "-o", trace});
  const std::vector<std::pair<std::string, Args>> cases{
      {"receipt.json", {"run", "-q", "-p", "2+2=", "-n", "2", "--receipt"}},
      {"trace.npz", {"trace", "-q", "-p", "Hi", "-o"}},
      {"trace.gguf", {"trace", "-q", "-p", "Hi", "-o"}},
      {"compared.json", {"compare", "-q", trace, trace, "--report"}},
      {"converted.gguf", {"convert", "-q", kCanary, "--force", "-o"}},
      {"conversion.json", {"convert", "-q", kCanary, "--dry-run", "--force", "--report"}},
      {"made.gguf", {"synth", "-q", "--preset", "tiny", "--force", "-o"}},
  };
  for (const auto& [name, args] : cases) {
    const std::string path = old(name);
    const ChildResult result = run(with(args, {path}));
    EXPECT_EQ(result.exit_code, 1) << name << result.err;
    EXPECT_TRUE(has(result.err, "error: " + path + kReason)) << name;
    EXPECT_EQ(content_of(path), "old") << name;
    fs::remove(path);
    EXPECT_TRUE(directory_.is_empty()) << name;
  }
}

TEST_F(FullDisk, LeavesTheOldTalkWhereAnotherIsSaved) {
  const std::string path = directory_.file("talk.json");
  EXPECT_EQ(talk("What is 3+4?\n/save " + path + "\n").exit_code, 0);
  const std::string before = content_of(path);
  const ChildResult result = run({"chat", "--greedy"}, "What is 3+4?\nWhy?\nAnd then?\n/save " + path + "\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.err, "error: " + path + kReason));
  EXPECT_EQ(content_of(path), before);
  EXPECT_EQ(directory_.n_files(), 1);
}

// They are kept for speed alone.
TEST_F(FullDisk, KeepsNoCacheAndTheTextComesAllTheSame) {
  const std::string model = directory_.file("model.gguf");
  fs::copy_file(kCanary, model);
  const Args plain{"run", "-m", model, "-p", "What is 3+4?", "-n", "8"};
  const std::string text = text_of(with(plain, {"-q"}));
  const std::string prompt = directory_.file("prompt.kv");
  for (const Args& more : {Args{"--prompt-cache", prompt}, Args{"--head", "screened-cached"}}) {
    const ChildResult result = run(with(plain, more));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, text);
    EXPECT_TRUE(has(result.err, "warning: ")) << more[0];
    EXPECT_TRUE(has(result.err, kReason)) << more[0];
    EXPECT_EQ(directory_.n_files(), 1) << more[0];
  }
}

TEST_F(FullDisk, IsToldOfStdoutToo) {
  for (const Args& args : {Args{"completions", "bash"}, Args{"inspect", "-q", "--json"},
                           Args{"run", "-q", "-p", "Once upon a time", "--json"}}) {
    const Descriptor out(
        ::open(directory_.file("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    const ChildResult result = run(args, "", out.get());
    EXPECT_EQ(result.exit_code, 1) << args[0];
    EXPECT_TRUE(has(result.err, "stdout: cannot write: File too large")) << args[0];
  }
}

using KilledAtAnyMoment = FullDisk;

// At many moments, by its own pace: as soon as there is another temporary file, and later and later.
TEST_F(KilledAtAnyMoment, LeavesTheOldFileOrAllOfTheNewOne) {
  const std::string path = directory_.file("new.gguf");
  const Args convert{"convert", "-q", kCanary, "--type", "tq2_0", "--force", "-o", path};
  text_of(convert);
  const std::string whole = content_of(path);
  for (int moment = 0; moment < 12; ++moment) {
    for (const fs::path& each : fs::directory_iterator(directory_.path())) fs::remove(each);
    std::ofstream(path) << "old";
    ChildOptions options;
    options.args = convert;
    ChildProcess child(executable(), options);
    while (directory_.n_files() == 1 && content_of(path) == "old") std::this_thread::yield();
    for (int i = 0; i < moment * moment; ++i) std::this_thread::sleep_for(std::chrono::microseconds(300));
    child.send(SIGKILL);
    child.wait();
    const std::string left = content_of(path);
    EXPECT_TRUE(left == "old" || left == whole) << moment << ": " << left.size() << " bytes";
  }
}

}  // namespace
}  // namespace bitnet::test
