// bitnet convert, as its user sees it.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/file_size_limit.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Convert : public ::testing::Test {
 protected:
  ChildResult convert(const Args& more) { return run_bitnet(with({"convert", kCanary, "-o", path_}, more)); }

  TempDirectory directory_;
  const std::string path_ = directory_.file("m.gguf");
};

TEST_F(Convert, SaysWhatBecameOfEveryKindOfTensor) {
  const ChildResult result = convert({"--type", "tq2_0", "--head", "q8_0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "token_embd"));
  EXPECT_TRUE(has(result.out, "F16 -> Q8_0   RMS error 0.00"));
  EXPECT_TRUE(has(result.out, "4 x 256x512      I2_S -> TQ2_0 same values"));
  EXPECT_TRUE(has(result.out, "attn_q.scale"));
  EXPECT_TRUE(has(result.out, "73 of 74 tensors are what they were"));
  EXPECT_TRUE(has(result.err, path_ + ": "));
  EXPECT_TRUE(has(result.err, " MiB written and read back in "));
  for (const std::string& line : lines_of(result.out)) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_TRUE(has(text_of({"inspect", "-q", path_}), "TQ2_0"));
}

TEST_F(Convert, QuietlySaysNothingOnStderr) {
  const ChildResult result = convert({"--type", "bitnet32", "-q"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(has(result.out, "every value of all 74 tensors is what it was"));
}

TEST_F(Convert, WritesAReportThatFitsItsSchema) {
  const std::string report = directory_.file("report.json");
  ASSERT_EQ(convert({"--type", "tq1_0", "--head", "q6_k", "--report", report, "--verify-run", "What is 2+2?"})
                .exit_code,
            0);
  const Json json = parse_json(content_of(report));
  EXPECT_EQ(misfits("convert", json), "");
  EXPECT_EQ(json.at("input"), kCanary);
  EXPECT_EQ(json.at("outputs"), (Args{path_}));
  EXPECT_EQ(json.at("bytes"), fs::file_size(path_));
  EXPECT_EQ(json.at("written"), true);
  EXPECT_EQ(json.at("lossless"), false);
  EXPECT_EQ(json.at("tensors").size(), 74U);
  for (const Json& tensor : json.at("tensors")) {
    EXPECT_EQ(tensor.at("proof").at("equal"), tensor.at("to") != "Q6_K") << tensor;
  }
  EXPECT_EQ(json.at("runs").at("identical"), false);
  EXPECT_EQ(json.at("runs").at("tokens"), 8);
}

TEST_F(Convert, ComparesTheLogitsOfBothFiles) {
  const ChildResult copied = convert({"-q", "--verify-run", "The capital of France is"});
  EXPECT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_TRUE(has(copied.out, "logits               the same bits"));
  const ChildResult rounded = convert({"-q", "--force", "--head", "q4_0", "--verify-run", "The capital of"});
  EXPECT_TRUE(has(rounded.out, "standard deviations"));
  EXPECT_TRUE(lacks(rounded.out, "the same bits"));
}

TEST_F(Convert, TriesWithoutWriting) {
  const ChildResult result = run_bitnet({"convert", kCanary, "--dry-run", "--type", "q2_0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "lossless"));
  EXPECT_TRUE(has(result.out, "nothing was written"));
  EXPECT_TRUE(directory_.is_empty());
}

TEST_F(Convert, NamesEachRepair) {
  // As the published file has it: a template that the model was not trained on.
  std::string bytes = content_of(kCanary);
  const std::string obsolete = "{# Human: BITNETAssistant: #}";
  const std::size_t at = bytes.find("{% set loop_messages = messages %}{% for message in");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, obsolete.size(), obsolete);
  const std::string old = directory_.file("old.gguf");
  std::ofstream(old, std::ios::binary) << bytes;
  const ChildResult result = run_bitnet({"convert", old, "-o", directory_.file("new.gguf")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "repaired: chat template: "));
  EXPECT_TRUE(has(result.err, "repaired: end of turn: "));
  const ChildResult left = run_bitnet({"convert", old, "-o", directory_.file("left.gguf"), "--no-repair"});
  EXPECT_TRUE(lacks(left.err, "repaired"));
  EXPECT_EQ(content_of(directory_.file("left.gguf")), bytes);
}

TEST_F(Convert, SplitsAndJoins) {
  const ChildResult split = convert({"--parts", "3"});
  EXPECT_EQ(split.exit_code, 0) << split.err;
  EXPECT_TRUE(has(split.err, "m-00001-of-00003.gguf and 2 more: "));
  EXPECT_EQ(directory_.n_files(), 3);
  EXPECT_EQ(run_bitnet({"convert", "-q", directory_.file("m-00003-of-00003.gguf"), "-o", path_}).exit_code,
            0);
  EXPECT_EQ(content_of(path_), content_of(kCanary));
}

TEST_F(Convert, RefusesWhatCannotBe) {
  const std::vector<std::pair<Args, std::string>> usage{
      {{"--type", "q9"}, "--type 'q9' is unknown; choose from i2_s, tq1_0"},
      {{"--quantize", "median"}, "there is absmean"},
      {{"--split", "many"}, "give a size such as 500M or 2G"},
      {{"--split", "0G"}, "is not a size"},
      {{"--split", "99999999999999999999G"}, "too large"},
      {{"--parts", "0"}, "give 1 or more"},
      {{"--parts", "75"}, "more than there are tensors"},
      {{"--i2s-layout", "z"}, "--i2s-layout 'z' is unknown"},
      {{"--hidden-act", "gelu"}, "--hidden-act 'gelu' is unknown"},
      {{"--head", "q8_0", "--embedding", "f16"}, "one tensor"},
  };
  for (const auto& [args, says] : usage) EXPECT_TRUE(has(refusal(convert(args), 2), says));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert"}), 2), "nothing to convert"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", "-o", path_}, {{"BITNET_MODEL", kCanary}}), 2),
                  "BITNET_MODEL is not taken for it"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", kCanary}), 2), "pass -o FILE"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", directory_.file("absent"), "-o", path_}), 3), "absent"));
  EXPECT_TRUE(has(refusal(convert({"--report", path_}), 2), "give the report another name"));
  EXPECT_TRUE(has(refusal(convert({"--parts", "2", "--report", directory_.file("m-00002-of-00002.gguf")}), 2),
                  "give the report another name"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", kCanary, "-o", "-"}), 2), "needs a file"));
  EXPECT_TRUE(has(refusal(convert({"--report", "-"}), 2), "name a file"));
  EXPECT_TRUE(has(refusal(convert({"--type", "q1_0"}), 3), "no code in this type; choose another type"));
  EXPECT_TRUE(has(refusal(convert({"--type", "q1_0", "--dry-run"}), 3), "no code"));
  EXPECT_TRUE(directory_.is_empty());
}

TEST_F(Convert, LeavesFilesThatAreThere) {
  std::ofstream(path_) << "mine";
  EXPECT_TRUE(has(refusal(convert({}), 2), "is there already: pass --force"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"convert", kCanary, "-o", kCanary, "--force"}), 2), "never written over"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"convert", kCanary, "-o", "/dev/null", "--force"}), 2), "no regular file"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", kCanary, "-o", "/nowhere/m.gguf"}), 1), "/nowhere"));
  EXPECT_TRUE(has(refusal(convert({"--force", "--report", kCanary}), 2), "never written over"));
  EXPECT_TRUE(has(refusal(run_bitnet({"convert", kCanary, "--dry-run", "--report", path_}), 2),
                  "is there already and is no report"));
  EXPECT_EQ(content_of(path_), "mine");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_F(Convert, LeavesTheOldFileWhereTheDiskIsFull) {
  std::ofstream(path_) << "mine";
  const ChildResult result = [&] {
    const FileSizeLimit limit(500'000);
    return convert({"--force", "--type", "tq2_0"});
  }();
  EXPECT_TRUE(has(refusal(result, 1), "cannot write the file"));
  EXPECT_EQ(content_of(path_), "mine");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_F(Convert, WritesDownTheLayoutThatItWasTold) {
  EXPECT_TRUE(lacks(text_of({"inspect", "-q", kCanary}), "ternary.i2_s.layout"));
  EXPECT_EQ(convert({"--i2s-layout", "x86"}).exit_code, 0);
  EXPECT_TRUE(has(text_of({"inspect", "-q", path_}), "ternary.i2_s.layout = \"x86\""));
}

TEST_F(Convert, LeavesNothingBehindWhenItIsInterrupted) {
  const std::string large = directory_.file("large.gguf");
  ASSERT_EQ(run_bitnet({"synth", "-q", "--preset", "tiny", "--layers", "20", "--hidden", "1024", "--heads",
                        "8", "--kv-heads", "4", "--ffn", "2048", "-o", large})
                .exit_code,
            0);
  const ChildResult result =
      run_until_signal({"convert", "-v", large, "-o", path_, "--type", "q6_k", "-t", "1"}, SIGINT);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_F(Convert, HelpFitsAScreen) {
  for (const std::string& line : lines_of(text_of({"convert", "--help"})))
    EXPECT_LE(line.size(), 80U) << line;
  EXPECT_LE(lines_of(text_of({"convert", "--help"})).size(), 50U);
}

}  // namespace
}  // namespace bitnet::test
