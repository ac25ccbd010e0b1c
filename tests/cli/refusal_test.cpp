// What is refused, with which exit code, and that it takes one line to say so.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "cli/runner.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

struct Wrong {
  Args args;
  std::string says;  // in the error line
};

// In one line, with exit code 2.
void expect_refused(const std::vector<Wrong>& command_lines) {
  for (const Wrong& wrong : command_lines) {
    SCOPED_TRACE(::testing::PrintToString(wrong.args));
    EXPECT_TRUE(has(refusal(run_bitnet(wrong.args), 2), wrong.says));
  }
}

// An alias may have it already.
TEST(CliUsage, TakesAFlagThatIsGivenTwiceForOnce) {
  for (const std::string flag : {"-q", "--json", "--echo", "--ignore-eos", "-v"}) {
    EXPECT_EQ(run_bitnet({"run", flag, flag, "-n", "1", "-p", "a"}).exit_code, 0) << flag;
  }
}

TEST(CliUsage, RefusesWhatItDoesNotKnow) {
  expect_refused(
      {{{"frobnicate"}, "unknown command 'frobnicate'; see bitnet --help"},
       {{"--frob"}, "unknown argument '--frob'; see bitnet --help"},
       {{"-v", "run"}, "unknown argument '-v'; options stand behind the command; see bitnet run --help"},
       {{"rum", "--frob"}, "unknown command 'rum'"},
       {{"-p", "hi"}, "'-p'"},
       {{"run", "--frob"}, "'--frob'; see bitnet run --help"},
       {{"run", "-p", "a", "b"}, "'b' stands beside --prompt"},
       {{"run", "a", "b"}, "unknown argument 'b'; a text of several words needs quotes around it"},
       {{"run", "-p", "a", "--stop", "b", "c"}, "'c'"},
       {{"run", "--b\n\x1b[31m"}, "'--b"}});
}

TEST(CliUsage, RefusesPromptsThatCannotBe) {
  expect_refused({{{"run"}, "pass -p TEXT, -f FILE, or -f -"},
                  {{"run", "-p"}, "--prompt needs a value; see bitnet run --help"},
                  {{"run", "-p", "a", "-f", "b"}, "--file"},
                  {{"run", "-p", "a b c d e f g", "-c", "4"}, "--ctx-size"},
                  {{"run", "--echo", "-p", "a b c d", "-c", "4"}, "--ctx-size"},
                  {{"run", "-p", "a", "--system", "b"}, "needs a template: auto"},
                  {{"run", "-p", "a", "--template", "auto", "--special"}, "needs the template raw"},
                  {{"run", "-p", "a", "--stop", ""}, "--stop"}});
}

TEST(CliUsage, ListsTheNamesThereAreForAnUnknownOne) {
  expect_refused({{{"run", "-p", "a", "--backend", "abacus"}, "auto, scalar"},
                  {{"run", "-p", "a", "--template", "haiku"}, "auto, raw"},
                  {{"run", "-p", "a", "--kv-type", "f8"}, "f16, f32"},
                  {{"run", "-p", "a", "--weights", "copy"}, "mmap, repack"},
                  {{"bench", "--weights", "copy"}, "mmap, repack"}});
}

// No time is lost on loading a model.
TEST(CliUsage, RefusesAnUnknownTemplateBeforeAnythingElse) {
  for (const char* command : {"run", "chat", "trace"}) {
    const ChildResult result = run_bitnet(Args{command, "--template", "haiku", "-m", "/nowhere/m.gguf"});
    EXPECT_TRUE(has(refusal(result, 2), "--template 'haiku' is unknown; choose from auto, ")) << command;
  }
}

TEST(CliUsage, RefusesNumbersThatAreNoneOrOutOfRange) {
  expect_refused(
      {{{"run", "-p", "a", "-t", "99999"}, "--threads 99999"},
       {{"run", "-p", "a", "-t", "1024", "--pin"}, "--pin: 1024 threads"},
       {{"run", "-p", "a", "-t", "-1"}, "--threads '-1'"},
       {{"run", "-p", "a", "-c", "100000000"}, "--ctx-size 100000000 is not between 1 and 16777216"},
       {{"run", "-p", "a", "-c", "-5"}, "--ctx-size '-5'"},
       {{"run", "-p", "a", "-n", "-2"}, "--max-tokens"},
       {{"run", "-p", "a", "-n", ""}, "--max-tokens ''"},
       {{"run", "-p", "a", "-n", "1.5"}, "--max-tokens '1.5'"},
       {{"run", "-p", "a", "-n", "0x10"}, "--max-tokens '0x10'"},
       {{"run", "-p", "a", "-n", "99999999999999999999"}, "too large"},
       {{"run", "-p", "a", "--prefill-chunk", "0"}, "--prefill-chunk 0"},
       {{"run", "-p", "a", "--temp", "1", "--seed", "-2"}, "--seed '-2'"},
       {{"run", "-p", "a", "--temp", "warm"}, "--temp 'warm'"},
       {{"run", "-p", "a", "--temp", "nan"}, "--temp nan"},
       {{"run", "-p", "a", "--temp", "inf"}, "--temp inf"},
       {{"run", "-p", "a", "--temp", "-1"}, "--temp -1"},
       {{"run", "-p", "a", "--temp", "1", "--greedy"}, "--greedy"},
       {{"run", "-p", "a", "--temp", "1", "--top-p", "2"}, "--top-p 2"},
       {{"run", "-p", "a", "--temp", "1", "--top-k", "-1"}, "--top-k -1"},
       {{"run", "-p", "a", "--repeat-penalty", "0"}, "--repeat-penalty 0"}});
}

// Of a shell variable that isn't set, most likely: nothing runs on what was not meant.
TEST(CliUsage, RefusesEmptyValuesEverywhere) {
  expect_refused(
      {{{"run", "-p", "a", "-m", ""}, "--model '': the value is empty; give a FILE, or leave it out"},
       {{"run", "-p", "a", "--model="}, "--model needs a value"},
       {{"run", "-f", ""}, "--file ''"},
       {{"run", "-p", "a", "--seed", ""}, "--seed ''"},
       {{"chat", "-m", ""}, "--model ''"},
       {{"bench", "-m", ""}, "--model ''"},
       {{"inspect", ""}, "--model ''"},
       {{"inspect", "-m", ""}, "--model ''"},
       {{"verify", "-m", ""}, "--model ''"},
       {{"perplexity", "-f", ""}, "--file ''"},
       {{"tokenize", "-p", "a", "-m", ""}, "--model ''"},
       {{"trace", "-p", "a", "-o", ""}, "--output ''"},
       {{"compare", ""}, "files ''"},
       {{"compare", "a.json", "--report", ""}, "--report ''"}});
  for (const char* variable : {"BITNET_MODEL", "BITNET_THREADS", "BITNET_BACKEND"}) {
    EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "-p", "a"}, {{variable, ""}}), 2),
                    std::string(variable) + " '': the value is empty"));
  }
}

// -hf is llama.cpp's way to a repository, not -h with an -f behind it.
TEST(CliUsage, TakesNoLettersBehindADashForHelp) {
  expect_refused({{{"run", "-hf", "microsoft/model"}, "unknown argument '-hf'; nothing is downloaded"},
                  {{"-hf", "microsoft/model"}, "unknown argument '-hf'"},
                  {{"chat", "-hq"}, "unknown argument '-hq'"},
                  {{"chat", "-qh"}, "unknown argument '-qh'"}});
}

TEST(CliUsage, RefusesAValueOfAFlagInsteadOfTakingItForNothing) {
  expect_refused(
      {{{"run", "-p", "a", "--json=false"}, "--json takes no value, and is off where it is not given"},
       {{"run", "-p", "a", "--greedy=0"}, "leave '=0' out, or all of it"},
       {{"run", "--help=no"}, "--help takes no value"},
       {{"inspect", "--tensors="}, "--tensors takes no value"},
       {{"--version=1"}, "--version takes no value"}});
  // What an option takes may look like one.
  EXPECT_EQ(run_bitnet(Args{"tokenize", "-p", "--json=false", "--count"}).exit_code, 0);
}

TEST(CliUsage, NamesTheEnvironmentVariableThatIsWrong) {
  const Args args{"run", "-p", "a"};
  EXPECT_TRUE(has(refusal(run_bitnet(args, {{"BITNET_THREADS", "many"}}), 2), "BITNET_THREADS 'many'"));
  EXPECT_TRUE(has(refusal(run_bitnet(args, {{"BITNET_BACKEND", "abacus"}}), 2), "BITNET_BACKEND 'abacus'"));
}

TEST(CliUsage, RefusesAPromptFromStdinThatIsLongerThanTheContext) {
  ChildOptions options;
  options.args = {"run", "-f", "-", "--echo"};
  for (int i = 0; i < 2000; ++i) options.stdin_text += "one two ";
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "tokens do not fit a context of 512; shorten the prompt"));
}

// The error line of a run with this model file; there is no other line.
std::string refusal_of_model(const std::string& path) {
  const ChildResult result = run_bitnet(Args{"run", "-m", path, "-p", "a"});
  EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
  std::string error = refusal(result, 3);
  EXPECT_TRUE(has(error, path));
  return error;
}

TEST(CliModelFile, IsRefusedWhenItIsNoModel) {
  EXPECT_TRUE(has(refusal_of_model("/nonexistent/model.gguf"), "No such file"));
  EXPECT_TRUE(has(refusal_of_model(std::filesystem::temp_directory_path().string()), "directory"));
  EXPECT_TRUE(has(refusal_of_model(TempFile({}).path()), "empty"));
  const std::string garbage(5000, '?');
  EXPECT_TRUE(has(refusal_of_model(TempFile(std::as_bytes(std::span(garbage))).path()), "not a GGUF file"));
}

TEST(CliModelFile, IsRefusedWhereverItWasCutOff) {
  std::ifstream in(BITNET_MODELS "/canary.gguf", std::ios::binary);
  const std::string canary{std::istreambuf_iterator<char>(in), {}};
  ASSERT_GT(canary.size(), 1'000'000U);
  for (const std::size_t size :
       {std::size_t{4}, std::size_t{20}, std::size_t{3000}, canary.size() / 2, canary.size() - 1}) {
    refusal_of_model(TempFile(std::as_bytes(std::span(canary).first(size))).path());
  }
}

TEST(CliPromptFile, IsRefusedWhenItCannotBeRead) {
  const ChildResult missing = run_bitnet(Args{"run", "-f", "/nonexistent/prompt"});
  EXPECT_TRUE(has(refusal(missing, 3), "/nonexistent/prompt: cannot open the prompt"));
  const ChildResult directory = run_bitnet(Args{"run", "-f", "/"});
  EXPECT_TRUE(has(refusal(directory, 3), "cannot read the prompt: Is a directory"));
}

}  // namespace
}  // namespace bitnet::test
