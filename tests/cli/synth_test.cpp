// bitnet synth: files of random weights.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
class Synth : public ::testing::Test {
 protected:
  ChildResult synth(const Args& more) {
    return run_bitnet(with({"synth", "--preset", "tiny", "-o", path_}, more));
  }
  std::string digest() {
    const std::string receipt = directory_.file("receipt");
    text_of({"run", "-q", "-m", path_, "--ids", "1,2,3", "-n", "3", "--receipt", receipt});
    std::string digest = parse_json(content_of(receipt)).at("logits").at("digest");
    fs::remove(receipt);
    return digest;
  }

  TempDirectory directory_;
  std::string path_ = directory_.file("m.gguf");
};

TEST_F(Synth, WritesTheSameModelEveryTime) {
  const ChildResult result = synth({"-t", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(has(result.err, path_ + ": "));
  EXPECT_TRUE(has(result.err, " MiB written in "));
  const std::string bytes = content_of(path_);
  const std::string first = digest();
  EXPECT_EQ(synth({"--force", "-t", "2"}).exit_code, 0);
  EXPECT_EQ(content_of(path_), bytes);
  EXPECT_EQ(synth({"--force", "--seed", "1"}).exit_code, 0);
  EXPECT_NE(digest(), first);
  EXPECT_EQ(directory_.n_files(), 1);
  EXPECT_TRUE(has(text_of({"inspect", path_}), "usable"));
}

TEST_F(Synth, TakesAnyDimension) {
  const ChildResult result = synth({"--arch",  "llama", "--layers",         "3",    "--hidden",    "384",
                                    "--heads", "6",     "--kv-heads",       "3",    "--head-dim",  "128",
                                    "--ffn",   "640",   "--vocab",          "99",   "--context",   "77",
                                    "--type",  "q8_0",  "--embedding-type", "q4_0", "--head-type", "f32"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = parse_json(text_of({"inspect", "-q", "--json", path_}));
  const auto value = [&](const std::string& name) {
    for (const auto& key : json.at("metadata")) {
      if (key.at("key") == name) return key.at("value").get<std::string>();
    }
    return std::string();
  };
  EXPECT_EQ(json.at("architecture"), "llama");
  EXPECT_EQ(value("llama.block_count"), "3");
  EXPECT_EQ(value("llama.attention.head_count"), "6");
  EXPECT_EQ(value("llama.attention.head_count_kv"), "3");
  EXPECT_EQ(value("llama.attention.key_length"), "128");
  EXPECT_EQ(value("llama.context_length"), "77");
  const auto tensor = [&](const std::string& name) {
    for (const auto& t : json.at("tensors")) {
      if (t.at("name") == name) return t;
    }
    ADD_FAILURE() << "no " << name;
    return nlohmann::json{{"type", ""}, {"shape", {0}}};
  };
  EXPECT_EQ(tensor("token_embd.weight").at("type"), "Q4_0");
  EXPECT_EQ(tensor("token_embd.weight").at("shape"), (std::vector<int>{384, 99}));
  EXPECT_EQ(tensor("output.weight").at("type"), "F32");
  EXPECT_EQ(tensor("blk.2.ffn_down.weight").at("type"), "Q8_0");
  EXPECT_EQ(tensor("blk.2.ffn_down.weight").at("shape"), (std::vector<int>{640, 384}));
  EXPECT_FALSE(digest().empty());
}

TEST_F(Synth, LeavesAFileThatIsThere) {
  ASSERT_EQ(synth({}).exit_code, 0);
  const std::string before = content_of(path_);
  EXPECT_TRUE(has(refusal(synth({"--seed", "5"}), 2), "is there already: pass --force"));
  EXPECT_EQ(content_of(path_), before);
  EXPECT_EQ(synth({"--seed", "5", "--force"}).exit_code, 0);
  EXPECT_NE(content_of(path_), before);
}

TEST_F(Synth, NamesTheOptionThatCannotBe) {
  const std::vector<std::pair<Args, std::string>> cases{
      {{"--preset", "huge"}, "--preset 'huge' is unknown; choose from 2b-4t"},
      {{"--arch", "mamba"}, "--arch 'mamba' is unknown"},
      {{"--type", "q3_k"}, "--type 'q3_k' is unknown; choose from i2_s, tq1_0"},
      {{"--hidden", "320"}, "--hidden 320 is not a multiple of 128, the block of i2_s"},
      {{"--hidden", "x"}, "--hidden 'x': give a whole number"},
      {{"--kv-heads", "3"}, "--kv-heads 3 does not divide 4 heads"},
      {{"--heads", "7", "--kv-heads", "7"}, "--heads 7 does not divide"},
      {{"--vocab", "99999999999"}, "--vocab 99999999999 is not between"},
      {{"--experts", "4"}, "--experts 4: of these families maple alone has experts"},
  };
  for (const auto& [args, says] : cases) EXPECT_TRUE(has(refusal(synth(args), 2), says));
  EXPECT_TRUE(has(refusal(run_bitnet({"synth"}), 2), "pass -o FILE"));
  EXPECT_EQ(directory_.n_files(), 0);
}

TEST_F(Synth, SaysThatTheDiskIsFull) {
  const ChildResult result = run_bitnet({"synth", "--preset", "tiny", "-o", "/dev/full"});
  EXPECT_TRUE(has(refusal(result, 1), "No space left on device"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"synth", "--preset", "tiny", "-o", "/nowhere/m.gguf"}), 1), "/nowhere"));
}

TEST_F(Synth, LeavesNothingBehindWhenItIsInterrupted) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const ChildResult result = run_until_signal({"synth", "-v", "--preset", "2b-4t", "-o", path_}, signal);
    EXPECT_EQ(result.exit_code, 130) << result.err;
    EXPECT_EQ(directory_.n_files(), 0);
  }
}

TEST_F(Synth, HelpFitsAScreen) {
  for (const std::string& line : lines_of(text_of({"synth", "--help"}))) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_LE(lines_of(text_of({"synth", "--help"})).size(), 50U);
}

// bench makes them in memory.
TEST(BenchSynthetic, TakesATypeBesideTheName) {
  const std::string text =
      text_of({"bench", "-q", "--synthetic", "tiny:q8_0", "-p", "4", "-n", "2", "-r", "1", "-o", "csv"});
  EXPECT_TRUE(has(text, "synthetic:tiny:q8_0"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"bench", "--synthetic", "tiny:q9"}), 2), "unknown type; choose from i2_s"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--synthetic", "huge:i2_s"}), 2), "is unknown"));
}

}  // namespace
}  // namespace bitnet::test
