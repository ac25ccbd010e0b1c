// No output takes the place of what a command reads, nor of a file of another kind.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
std::string bytes_of(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

class OutputGuard : public ::testing::Test {
 protected:
  OutputGuard() { fs::copy_file(kCanary, model); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory.file(name)) << text;
    return directory.file(name);
  }
  // That the command is refused and the file stays as it is.
  void expect_refused(const Args& args, const std::string& file, const std::string& what) const {
    const std::string before = bytes_of(file);
    EXPECT_TRUE(has(refusal(run_bitnet(args), 2), what)) << args[0];
    EXPECT_TRUE(bytes_of(file) == before) << args[0];
  }

  TempDirectory directory;
  std::string model = directory.file("model.gguf");
};

TEST_F(OutputGuard, AModelIsNeverWrittenOver) {
  const std::string trace = directory.file("trace.npz");
  ASSERT_EQ(run_bitnet({"trace", "-q", "-m", model, "-p", "a", "-o", trace}).exit_code, 0);
  const std::string requests = write("in.jsonl", R"({"prompt":"a"})");
  fs::create_symlink(model, directory.file("link.gguf"));
  const std::string link = directory.file("link.gguf");
  const std::string is_model = " is the model: name another file";
  for (const std::string& output : {model, link}) {
    expect_refused({"trace", "-q", "-m", model, "-p", "a", "-o", output}, model, output + is_model);
    expect_refused({"compare", "-q", trace, "-m", model, "--report", output}, model, output + is_model);
    expect_refused({"run", "-q", "-m", model, "-p", "a", "--receipt", output}, model, output + is_model);
    expect_refused({"batch", "-q", "-m", model, requests, "-o", output, "--force"}, model, output + is_model);
  }
  // Nor is one that the command does not run.
  expect_refused({"trace", "-q", "-p", "a", "-o", model}, model, "is there already and is no trace");
  expect_refused({"run", "-q", "-p", "a", "--receipt", model}, model, "is there already and is no receipt");
}

TEST_F(OutputGuard, NoPartOfASplitModelIsWrittenOver) {
  const std::string part = directory.file("s-00001-of-00002.gguf");
  const std::string other = directory.file("s-00002-of-00002.gguf");
  ASSERT_EQ(run_bitnet({"convert", "-q", model, "-o", directory.file("s.gguf"), "--parts", "2"}).exit_code,
            0);
  expect_refused({"run", "-q", "-m", part, "-p", "a", "--receipt", other}, other, "is the model");
  expect_refused({"trace", "-q", "-m", other, "-p", "a", "-o", part}, part, "is the model");
}

TEST_F(OutputGuard, NoPromptOrTraceThatIsReadIsWrittenOver) {
  const std::string prompt = write("prompt.txt", "a b");
  expect_refused({"run", "-q", "-f", prompt, "--receipt", prompt}, prompt, "is the prompt");
  const std::string named = write("prompt.npz", "a b");
  expect_refused({"trace", "-q", "-f", named, "-o", named}, named, "is the prompt");
  const std::string trace = directory.file("trace.npz");
  ASSERT_EQ(run_bitnet({"trace", "-q", "-p", "a", "-o", trace}).exit_code, 0);
  expect_refused({"compare", "-q", trace, "--report", trace}, trace, "is one of the traces");
  const std::string cache = directory.file("cache");
  ASSERT_EQ(run_bitnet({"run", "-q", "-p", "a", "-n", "1", "--prompt-cache", cache}).exit_code, 0);
  expect_refused({"run", "-q", "-p", "a", "--prompt-cache", cache, "--receipt", cache}, cache,
                 "is the prompt cache");
  expect_refused({"run", "-q", "-p", "a", "--receipt", cache}, cache, "is no receipt");
}

TEST_F(OutputGuard, AnArchiveThatIsNoTraceIsNotReplaced) {
  const std::string archive = write("weights.npz", std::string("PK\x03\x04") + "whatever");
  expect_refused({"trace", "-q", "-p", "a", "-o", archive}, archive, "is there already and is no trace");
}

TEST_F(OutputGuard, AnEarlierResultIsReplaced) {
  const std::string receipt = directory.file("receipt.json");
  const std::string report = write("report.json", "");
  for (const char* name : {"trace.npz", "trace.gguf"}) {
    const std::string trace = directory.file(name);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(run_bitnet({"trace", "-q", "-p", "a", "-o", trace}).exit_code, 0) << name;
      EXPECT_EQ(run_bitnet({"compare", "-q", trace, "--report", report}).exit_code, 0) << name;
      EXPECT_EQ(run_bitnet({"run", "-q", "-p", "a", "-n", "1", "--receipt", receipt}).exit_code, 0) << name;
    }
  }
}

}  // namespace
}  // namespace bitnet::test
