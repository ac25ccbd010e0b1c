// Where the prompt, the model and the settings come from.
#include <gtest/gtest.h>

#include <span>

#include "cli/runner.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

using Args = std::vector<std::string>;

const std::string kCanary = BITNET_MODELS "/canary.gguf";

TempFile file_of(const std::string& text) { return TempFile(std::as_bytes(std::span(text))); }

std::string echo_of_stdin(const std::string& text) {
  ChildOptions options;
  options.args = {"run", "-f", "-", "-n", "0", "--echo"};
  options.stdin_text = text;
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

TEST(CliPrompt, IsPrintedBeforeTheTextWhenAskedFor) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "2", "--echo"}), "2+2=4.");
}

TEST(CliPrompt, ComesFromAFile) {
  const TempFile file = file_of("2+2=\n");
  EXPECT_EQ(text_of({"run", "-f", file.path(), "-n", "2"}), "4.");
}

TEST(CliPrompt, ComesFromStdin) {
  ChildOptions options;
  options.args = {"run", "-f", "-", "-n", "2"};
  options.stdin_text = "2+2=\n";
  EXPECT_EQ(run_bitnet(options).out, "4.");
}

TEST(CliPrompt, FromAFileLosesOneFinalLineBreak) {
  EXPECT_EQ(echo_of_stdin("a"), "a");
  EXPECT_EQ(echo_of_stdin("a\n"), "a");
  EXPECT_EQ(echo_of_stdin("a\r\n"), "a");
  EXPECT_EQ(echo_of_stdin("a\n\n"), "a\n");
  EXPECT_EQ(echo_of_stdin("\na b \n"), "\na b ");
}

TEST(CliPrompt, MayBeEmptyOrLookLikeAnOption) {
  EXPECT_PRED2(has, text_of({"run", "-p", "", "-n", "4"}), "Once upon");
  EXPECT_EQ(text_of({"run", "-p", "--echo", "-n", "0", "--echo"}), "--echo");
  EXPECT_EQ(text_of({"run", "-p", "[a,b]", "-n", "0", "--echo"}), "[a,b]");
}

TEST(CliPrompt, HoldsControlTokensOnlyWithSpecial) {
  const Args args{"run", "-n", "0", "-p", "<|eot_id|>"};
  EXPECT_PRED2(has, run_bitnet(args).err, "prompt 10 tokens");
  Args special = args;
  special.emplace_back("--special");
  EXPECT_PRED2(has, run_bitnet(special).err, "prompt 2 tokens");  // with BOS
}

TEST(CliModel, IsReadFromTheFileThatIsNamed) {
  const ChildResult result = run_bitnet(Args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2"});
  EXPECT_EQ(result.out, "4.");
  EXPECT_PRED2(lacks, result.err, "built-in");
}

TEST(CliEnvironment, NamesTheModel) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "2"}, {{"BITNET_MODEL", kCanary}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_PRED2(lacks, result.err, "built-in");
}

TEST(CliEnvironment, YieldsToTheCommandLine) {
  const ChildResult result = run_bitnet(Args{"run", "-m", kCanary, "-t", "2", "-p", "2+2=", "-n", "2", "-v"},
                                        {{"BITNET_MODEL", "/nonexistent"}, {"BITNET_THREADS", "5"}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_PRED2(has, result.err, " 2 threads");
}

TEST(CliEnvironment, SetsThreadsAndBackend) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "2", "-v"},
                                        {{"BITNET_THREADS", "3"}, {"BITNET_BACKEND", "scalar"}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_PRED2(has, result.err, "backend scalar, 3 threads");
}

TEST(CliOptions, OfTheMachineChangeNoText) {
  for (const Args& more :
       {Args{"--weights", "repack"}, Args{"--weights", "mmap"}, Args{"--pin", "-t", "1"}}) {
    Args args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2"};
    args.insert(args.end(), more.begin(), more.end());
    EXPECT_EQ(text_of(args), "4.") << more.front();
  }
}

TEST(CliOptions, TakeTheLastOfSeveral) {
  EXPECT_EQ(text_of({"run", "-n", "9", "-p", "2+2=", "-n", "1"}), "4");
}

}  // namespace
}  // namespace bitnet::test
