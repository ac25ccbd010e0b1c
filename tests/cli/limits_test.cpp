// The least and the most that commands take: nothing at all, and far too much.
#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

class CliLimits : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_.file(name)) << text;
    return directory_.file(name);
  }

  TempDirectory directory_;
};

// A text, ids or requests may be empty; a model, a trace or what is to be measured may not.
TEST_F(CliLimits, AnEmptyFileIsTakenOrRefusedInALine) {
  const std::string empty = write("empty", "");
  for (const Args& args : {Args{"run", "-q", "-n", "2", "-f", empty}, Args{"batch", "-q", empty},
                           Args{"tokenize", "-q", "-f", empty}, Args{"detokenize", "-q", "-f", empty},
                           Args{"trace", "-q", "-f", empty}}) {
    const ChildResult result = run_bitnet(args);
    EXPECT_EQ(result.exit_code, 0) << args[0];
    EXPECT_EQ(result.err, "") << args[0];
  }
  const std::string output = directory_.file("out.gguf");
  for (const Args& args : {Args{"run", "-m", empty, "-p", "a"}, Args{"inspect", empty},
                           Args{"verify", "-m", empty}, Args{"convert", empty, "-o", output},
                           Args{"compare", empty, empty}, Args{"perplexity", "-f", empty}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(args), 3), empty + ": the ")) << args[0];
  }
  EXPECT_EQ(text_of({"chat", "-q"}), "");
}

TEST_F(CliLimits, TenThousandThreadsAreRefused) {
  const std::string requests = write("in.jsonl", "{\"prompt\": \"a\"}\n");
  const std::string text = write("text", "one two three");
  const std::string output = directory_.file("out.gguf");
  for (const Args& args :
       {Args{"run", "-p", "a"}, Args{"chat"}, Args{"batch", requests}, Args{"serve"},
        Args{"trace", "-p", "a"}, Args{"perplexity", "-f", text}, Args{"verify", "-m", kCanary},
        Args{"bench", "--synthetic", "tiny", "-p", "1", "-n", "1"}, Args{"inspect", kCanary},
        Args{"convert", kCanary, "--dry-run"}, Args{"synth", "--preset", "tiny", "-o", output}}) {
    EXPECT_TRUE(
        has(refusal(run_bitnet(with(args, {"-t", "10000"})), 2), "--threads 10000 is too many; at most 1024"))
        << args[0];
  }
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST_F(CliLimits, MoreThreadsThanCoresAreNamedWhereFewerGoThroughAFile) {
  const std::string output = directory_.file("out.gguf");
  for (const Args& args : {Args{"inspect", kCanary}, Args{"convert", kCanary, "--dry-run"},
                           Args{"synth", "--preset", "tiny", "-o", output}}) {
    const ChildResult result = run_bitnet(with(args, {"-t", "1024"}));
    EXPECT_EQ(result.exit_code, 0) << args[0];
    EXPECT_TRUE(has(result.err, "warning: --threads 1024 is more than the ")) << args[0];
  }
}

TEST_F(CliLimits, IdsBeyondTheVocabularyAreRefusedEverywhere) {
  const std::string says = "token id 99999 is outside the vocabulary of 1024";
  for (const Args& args : {Args{"run", "--ids", "1,99999"}, Args{"trace", "--ids", "1,99999"},
                           Args{"detokenize", "1", "99999"}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(with(args, {"-m", kCanary})), 2), says)) << args[0];
  }
  const std::string requests = write("in.jsonl", "{\"ids\": [1, 99999]}\n");
  const ChildResult result = run_bitnet({"batch", "-q", "-m", kCanary, requests});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.out, says));
}

TEST_F(CliLimits, APromptLongerThanTheContextIsRefusedEverywhere) {
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "one two ";
  const std::string text = write("text", words);
  for (const char* command : {"run", "trace"}) {
    EXPECT_TRUE(has(refusal(run_bitnet({command, "-m", kCanary, "-f", text}), 2),
                    "do not fit a context of 512; shorten "))
        << command;
  }
  const std::string requests = write("in.jsonl", "{\"prompt\": \"" + words + "\"}\n{\"prompt\": \"2+2=\"}\n");
  const ChildResult result = run_bitnet({"batch", "-q", "-m", kCanary, requests});
  EXPECT_EQ(result.exit_code, 1);
  ASSERT_EQ(lines_of(result.out).size(), 2U);
  EXPECT_TRUE(has(lines_of(result.out)[0], "do not fit a context of 512"));
  EXPECT_TRUE(has(lines_of(result.out)[1], "\"text\":\"4.\""));  // the others have their answers
}

TEST_F(CliLimits, MoreTokensThanTheContextHoldsEndWithIt) {
  const Args args{"run", "-m", kCanary, "-p", "a", "--ignore-eos", "-c", "32", "-n"};
  const ChildResult result = run_bitnet(with(args, {"4000000000"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.err, "the context of 32 tokens is full"));
}

// What a container or taskset leaves the process.
TEST_F(CliLimits, ThreadsFollowTheAffinityMask) {
  cpu_set_t before;
  CPU_ZERO(&before);
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &before)) CPU_SET(static_cast<std::size_t>(cpu), &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const ChildResult result = run_bitnet({"run", "-v", "-m", kCanary, "-p", "a", "-n", "1"});
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_TRUE(has(result.err, ", 1 threads, "));
}

}  // namespace
}  // namespace bitnet::test
