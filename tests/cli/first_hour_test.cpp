// What somebody meets who knows other programs better than this one: names that lead to ours, and the way to
// a real model.
#include <gtest/gtest.h>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

constexpr const char* kRepository = "microsoft/BitNet-b1.58-2B-4T-gguf";
constexpr const char* kDownload =
    "curl -fLO https://huggingface.co/microsoft/BitNet-b1.58-2B-4T-gguf/resolve/main/ggml-model-i2_s.gguf";

struct Case {
  Args args;
  std::string says;  // in the one line of the refusal
};

void expect_advice(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::PrintToString(c.args));
    const ChildResult result = run_bitnet(c.args);
    EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
    EXPECT_TRUE(has(refusal(result, 2), c.says));
  }
}

TEST(FirstHour, AWrongWordGetsTheNearestRightOne) {
  expect_advice(
      {{{"rum"}, "unknown command 'rum'; did you mean 'run'? See bitnet --help"},
       {{"tokenise"}, "did you mean 'tokenize'?"},
       {{"bnech"}, "did you mean 'bench'?"},
       {{"perp"}, "did you mean 'perplexity'?"},
       {{"help", "rum"}, "did you mean 'run'?"},
       {{"run", "--promt", "a"}, "unknown argument '--promt'; did you mean --prompt? See bitnet run --help"},
       {{"run", "--promt=a"}, "did you mean --prompt?"},
       {{"run", "--top_k", "3"}, "did you mean --top-k?"},
       {{"run", "--ctx_size=3"}, "did you mean --ctx-size?"},
       {{"run", "--ingore-eos"}, "did you mean --ignore-eos?"},
       {{"run", "--stride", "3"}, "it is an option of bitnet perplexity"},
       {{"-p", "a"}, "it is an option of bitnet run"}});
}

// Nothing is guessed where nothing is near.
TEST(FirstHour, AWordThatIsNearNoneGetsNoAdvice) {
  for (const Args& args : {Args{"x"}, Args{"zebra"}, Args{"run", "--zebra"}, Args{"run", "-z"},
                           Args{"run", "--" + std::string(5000, 'p')}}) {
    EXPECT_TRUE(lacks(refusal(run_bitnet(args), 2), "did you mean"));
  }
}

TEST(FirstHour, NamesOfOtherProgramsLeadToOurs) {
  expect_advice(
      {{{"run", "--n-predict", "3"}, "did you mean -n/--max-tokens?"},
       {{"bench", "--n-predict", "3"}, "did you mean -n/--n-gen?"},
       {{"run", "--temperature", "1"}, "did you mean --temp?"},
       {{"run", "--n-ctx", "9"}, "did you mean -c/--ctx-size?"},
       {{"run", "--repeat_penalty", "1.1", "--repetition_penalty", "2"}, "did you mean --repeat-penalty?"},
       {{"run", "-i"}, "bitnet chat is a conversation"},
       {{"run", "-p", "a", "-cnv"}, "unknown argument '-cnv'; bitnet chat is a conversation"},
       {{"run", "-p", "a", "-ngl", "99"},
        "unknown argument '-ngl'; leave it out: everything runs on the CPU"},
       {{"run", "--n-gpu-layers", "99"}, "everything runs on the CPU"},
       {{"run", "--no-mmap"}, "pass --weights repack"},
       {{"run", "-b", "64"}, "did you mean --prefill-chunk?"},
       {{"run", "-s", "3"}, "did you mean --seed?"},
       {{"server"}, "did you mean 'serve'?"},
       {{"list"}, "name one with -m"},
       {{"generate"}, "did you mean 'run'?"},
       {{"quantize"}, "did you mean 'convert'?"},
       {{"pull", "2b-4t"}, kDownload},
       {{"run", "-hf", "microsoft/x"}, kDownload},
       {{"chat", "--hf-repo", "microsoft/x"}, kDownload}});
}

TEST(FirstHour, TheWayToARealModelIsWhereItIsLookedFor) {
  const std::string help = text_of({"--help"});
  for (const char* part : {kRepository, "1.19 GB", kDownload}) EXPECT_TRUE(has(help, part));
  EXPECT_TRUE(has(run_bitnet(Args{"tokenize", "a"}).err, kRepository));
  EXPECT_TRUE(has(text_of({"completions", "man"}), "ggml\\-model\\-i2_s.gguf"));
}

TEST(FirstHour, AModelThatIsNoFileGetsTheWayToOne) {
  const char* const name = "microsoft/BitNet-b1.58-2B-4T";
  for (const Args& args :
       {Args{"run", "a", "-m", name}, Args{"bench", "-m", name}, Args{"tokenize", "a", "-m", name},
        Args{"chat", "-m", "2b-4t"}, Args{"verify", "2b-4t"}, Args{"inspect", "2b-4t"}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(args), 3), kDownload)) << args[0];
  }
  const std::string missing = refusal(run_bitnet(Args{"inspect", "nowhere/model.gguf"}), 3);
  EXPECT_TRUE(has(missing, "No such file"));
  EXPECT_TRUE(has(missing, "bitnet --help says where to get a model"));
}

TEST(FirstHour, TheProgramAloneListsItsCommandsAndIsNoSuccess) {
  const ChildResult result = run_bitnet(Args{});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(has(result.err, "\nCommands:\n  run  "));
  EXPECT_TRUE(lines_of(result.err).back().starts_with("error: no command given")) << result.err;
}

TEST(FirstHour, HelpAndVersionAreCommandsToo) {
  EXPECT_EQ(text_of({"help"}), text_of({"--help"}));
  EXPECT_EQ(text_of({"help", "run"}), text_of({"run", "--help"}));
  EXPECT_EQ(text_of({"version"}), text_of({"--version"}));
}

TEST(FirstHour, APromptNeedsNoOption) {
  EXPECT_EQ(text_of({"run", "2+2=", "-n", "2"}), "4.");
  EXPECT_EQ(text_of({"run", "-n", "2", "--", "2+2="}), "4.");
  EXPECT_EQ(text_of({"run", "-n", "0", "--echo", "--", "--json"}), "--json");
  EXPECT_EQ(text_of({"run", "-n", "0", "--echo", "-p", "-ngl"}), "-ngl");  // as a value anything goes
  EXPECT_EQ(text_of({"tokenize", "2", "--no-bos"}), "17\n");
}

TEST(FirstHour, AFileIsNotTakenForThePrompt) {
  expect_advice({{{"run", "model.gguf"}, "did you mean -m model.gguf?"},
                 {{"run", BITNET_MODELS "/README.md"}, "did you mean -f " BITNET_MODELS "/README.md?"},
                 {{"tokenize", BITNET_MODELS "/README.md"}, "did you mean -f"}});
  EXPECT_EQ(text_of({"run", "-p", "model.gguf", "-n", "0", "--echo"}), "model.gguf");
}

TEST(FirstHour, AModelNeedsNoOptionWhereNothingElseCouldBeMeant) {
  const std::string canary = BITNET_MODELS "/canary.gguf";
  ChildOptions chat;
  chat.args = {"chat", canary, "-n", "4"};
  chat.stdin_text = "What is 3+4?\n";
  const ChildResult answer = run_bitnet(chat);
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_TRUE(lacks(answer.err, "built-in"));
  EXPECT_TRUE(has(text_of({"inspect", canary}), "canary.gguf"));
  EXPECT_TRUE(has(text_of({"bench", canary, "-p", "1", "-n", "0", "-r", "1", "-o", "json"}), "canary.gguf"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"chat", canary, "-m", canary}), 2), "stands beside --model"));
}

TEST(FirstHour, APromptGivenTwiceIsRefusedAndOfSettingsTheLastCounts) {
  expect_advice({{{"run", "-p", "a", "-p", "b"}, "--prompt is given 2 times"},
                 {{"run", "-f", "a", "-f", "b"}, "--file is given 2 times"},
                 {{"tokenize", "-p", "a", "-p", "b"}, "--prompt is given 2 times"}});
  EXPECT_EQ(text_of({"run", "-n", "9", "-p", "2+2=", "-n", "1"}), "4");
}

TEST(FirstHour, MoreThreadsThanCoresAreRemarkedUpon) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "1", "-t", "1000"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "4");
  EXPECT_TRUE(has(result.err, "warning: --threads 1000 is more than the "));
}

}  // namespace
}  // namespace bitnet::test
