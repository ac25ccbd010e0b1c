// bitnet convert of Hugging Face folders, as its user sees it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "cli/runner.h"
#include "gguf/gguf.h"
#include "support/hf_folder.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

class ConvertFolder : public ::testing::Test {
 protected:
  static HfFolder folder_of(const std::string& model, HfForm form) {
    return HfFolder(gguf::File::open(BITNET_TEST_DATA "/models/" + model + ".gguf"), form);
  }
  ChildResult convert(HfFolder& folder, const Args& more = {}) {
    return run_bitnet(with({"convert", folder.write(2), "-o", path_}, more));
  }
  // A refused folder leaves nothing behind.
  void expect_refused(HfFolder& folder, const std::string& why) {
    EXPECT_TRUE(has(refusal(convert(folder), 3), why));
    EXPECT_FALSE(std::filesystem::exists(path_));
  }

  TempDirectory directory_;
  const std::string path_ = directory_.file("m.gguf");
};

TEST_F(ConvertFolder, GivesAFileThatRunsAsTheModelItWasMadeOf) {
  HfFolder folder = folder_of("random-llama", HfForm::autobitlinear);
  const ChildResult result = convert(folder);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "U8 -> I2_S same values"));
  EXPECT_TRUE(has(result.out, "F16        same bytes"));
  EXPECT_TRUE(has(result.out, "read back, and every value of all "));
  const Args run{"run", "-q", "--ids", "5,6,7", "-n", "8", "--jsonl", "--ignore-eos", "-m"};
  const std::string original = BITNET_TEST_DATA "/models/random-llama.gguf";
  const auto tokens = [](const std::string& events) {
    std::string ids;
    for (const std::string& line : lines_of(events)) {
      const auto event = parse_json(line);
      if (event.contains("id")) ids += event["id"].dump() + " ";
    }
    return ids;
  };
  EXPECT_NE(tokens(text_of(with(run, {path_}))), "");
  EXPECT_EQ(tokens(text_of(with(run, {path_}))), tokens(text_of(with(run, {original}))));
}

// There is no engine for the folder itself, but what it became must run.
TEST_F(ConvertFolder, WithAPromptToVerifyRunsWhatItBecame) {
  HfFolder folder = folder_of("random-llama", HfForm::autobitlinear);
  const ChildResult good = convert(folder, {"--verify-run", "hi"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_TRUE(has(good.err, "only GGUF files are run; the new file ran its "));
  std::filesystem::remove(path_);
  folder.tensor("model.norm.weight").data.assign(folder.tensor("model.norm.weight").data.size(), '\x7F');
  EXPECT_EQ(convert(folder).exit_code, 0);  // large values, but finite
  std::filesystem::remove(path_);
  const ChildResult bad = convert(folder, {"--verify-run", "hi"});
  EXPECT_TRUE(has(refusal(bad, 4), "the logits of the new file are not finite"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ConvertFolder, ThatIsRefusedIsNamedWithItsTensor) {
  HfFolder folder = folder_of("random-llama", HfForm::bitlinear);
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  folder.tensor(name).data[5] |= 3;
  expect_refused(folder, "row 0 of " + name + " holds the code 3");
  folder.tensor(name + "_scale").data.assign(4, '\0');
  expect_refused(folder, name + "_scale: 0.000000 is no scale");
  folder.write();
  EXPECT_TRUE(
      has(refusal(run_bitnet({"convert", folder.file("model.safetensors"), "-o", folder.file("m.gguf")}), 3),
          "name the folder"));
  folder.config["architectures"] = {"FalconH1ForCausalLM"};
  expect_refused(folder, "'FalconH1ForCausalLM' is not supported");
}

TEST_F(ConvertFolder, OfADenseBitNetModelNeedsTheUsersWord) {
  HfFolder folder = folder_of("random-bitnet-b1.58", HfForm::floats);
  expect_refused(folder, "--quantize absmean does it");
  const ChildResult rounded = convert(folder, {"--quantize", "absmean"});
  EXPECT_EQ(rounded.exit_code, 0) << rounded.err;
  EXPECT_TRUE(has(rounded.out, "F32 -> I2_S same values"));  // they are ternary
}

TEST_F(ConvertFolder, IsNeverWrittenOver) {
  HfFolder folder = folder_of("random-llama", HfForm::autobitlinear);
  const std::string path = folder.write();
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    const std::string before = content_of(folder.file(name));
    EXPECT_TRUE(has(refusal(run_bitnet({"convert", path, "-o", folder.file(name), "--force"}), 2),
                    "never written over"));
    EXPECT_EQ(content_of(folder.file(name)), before);
  }
}

}  // namespace
}  // namespace bitnet::test
