// --prompt-cache as its user sees it. What is in the file is tested in tests/engine/prompt_cache_test.cpp.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "cli/chat/talk.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class CliPromptCache : public ::testing::Test {
 protected:
  Args run(const Args& more = {}) const {
    return with({"run", "-p", "Once upon a time there was a little girl named Lily.", "-n", "12",
                 "--prompt-cache", path},
                more);
  }

  TempDirectory directory;
  std::string path = directory.file("prompt.kv");
};

TEST_F(CliPromptCache, GivesTheSameTextAndSaysWhatItDid) {
  const ChildResult first = run_bitnet(run({"-v"}));
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_TRUE(std::regex_search(first.err, std::regex("prompt\\.kv: [0-9]+ tokens, .* MiB, written in")))
      << first.err;
  const ChildResult second = run_bitnet(run({"-v"}));
  EXPECT_EQ(second.out, first.out);
  EXPECT_TRUE(std::regex_search(second.err, std::regex("prompt\\.kv: [0-9]+ tokens, .* MiB, read in")))
      << second.err;
  EXPECT_TRUE(std::regex_search(second.err, std::regex("prompt [0-9]+ tokens, [0-9]+ of them kept")))
      << second.err;
  EXPECT_EQ(directory.n_files(), 1);
  EXPECT_EQ(run_bitnet(run({"-q"})).err, "");
}

TEST_F(CliPromptCache, ChangesNoByteOfJsonAndStandsInTheReceipt) {
  const std::string without = text_of(
      {"run", "-q", "-p", "Once upon a time there was a little girl named Lily.", "-n", "12", "--jsonl"});
  EXPECT_EQ(text_of(run({"-q", "--jsonl"})), without);
  EXPECT_EQ(text_of(run({"-q", "--jsonl"})), without);
  const std::string receipt = directory.file("receipt.json");
  text_of(run({"-q", "--receipt", receipt}));
  const Json json = parse_json(content_of(receipt));
  EXPECT_EQ(json.at("machine").at("prompt_tokens_cached").get<std::size_t>() + 1,
            json.at("prompt").at("ids").size());
}

TEST_F(CliPromptCache, WarnsInALineAndRunsOnWhateverTheFile) {
  const std::string text = text_of(run({"-q"}));
  std::ofstream(path) << "hello";
  const ChildResult result = run_bitnet(run());
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, text);
  EXPECT_TRUE(has(result.err, "warning: " + path + ": is no prompt cache, and is left as it is"));
  EXPECT_EQ(content_of(path), "hello");
  path = directory.path();
  const ChildResult other = run_bitnet(run());
  EXPECT_EQ(other.exit_code, 0);
  EXPECT_EQ(other.out, text);
  EXPECT_TRUE(has(other.err, "is not a regular file"));
}

// Whoever names the model's own file loses nothing.
TEST_F(CliPromptCache, NeverWritesOverAModel) {
  const std::string model = directory.file("model.gguf");
  fs::copy_file(kCanary, model);
  path = model;
  EXPECT_EQ(run_bitnet(run({"-m", model})).exit_code, 0);
  EXPECT_EQ(content_of(model), content_of(kCanary));
}

TEST_F(CliPromptCache, IsRefusedWithoutANameAndWhereItHasNoEffect) {
  path = "-";
  EXPECT_TRUE(has(refusal(run_bitnet(run()), 2), "name a file"));
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-p", "a b c", "--score", "--prompt-cache", "x"}), 2),
                  "--prompt-cache has no effect with --score"));
}

TEST_F(CliPromptCache, BeginsAConversation) {
  const Args args{"-v", "--prompt-cache", path, "--system", "Answer each question in a few kind words."};
  const ChildResult first = talk("What is 3+4?\nWhat color is the sky?\n", args);
  const ChildResult second = talk("What color is the sky?\n", args);
  const ChildResult without = talk("What color is the sky?\n", {args.begin() + 3, args.end()});
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_EQ(second.out, without.out);
  EXPECT_TRUE(has(second.err, "read in"));
  EXPECT_EQ(directory.n_files(), 1);
}

}  // namespace
}  // namespace bitnet::test
