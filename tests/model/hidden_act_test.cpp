// SiLU for relu^2 or the reverse, because of a label: the text is fluent and wrong, and nothing else shows
// it.
#include "model/hidden_act.h"

#include <gtest/gtest.h>

#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using Logits = std::vector<std::vector<float>>;

// What tells 1bitLLM's models and BitNet-b1.58-2B-4T apart from all others, the width apart.
constexpr SmallShape k1bitllm{.layers = 24, .kv_heads = 4, .sentence_piece = true, .vocab = 32002};
constexpr SmallShape k2b4t{.layers = 30, .sentence_piece = false, .vocab = 128256};

struct ActOutcome {
  HiddenActInfo info;
  std::vector<std::string> assumptions;  // about it
  Logits logits;
};

ActOutcome run_small(const AlignedBytes& file, std::optional<HiddenAct> asked = {}) {
  const Model model = Model::from_bytes(file.span(), "small.gguf", {.hidden_act = asked});
  std::vector<std::string> assumptions = model.info().assumptions;
  std::erase_if(assumptions, [](const std::string& a) { return !has(a, "--hidden-act"); });
  return {model.info().hidden_act, std::move(assumptions),
          logits(model, {TokenId{1}, TokenId{4}, TokenId{2}})};
}

ActOutcome run_small(const SmallModel& model, std::optional<HiddenAct> asked = {}) {
  return run_small(model.build(), asked);
}

TEST(HiddenAct, OfAPlainFileIsThatOfItsArchitecture) {
  const std::vector<std::pair<const char*, HiddenAct>> known{{"bitnet-b1.58", HiddenAct::relu2},
                                                             {"bitnet-25", HiddenAct::relu2},
                                                             {"bitnet", HiddenAct::silu},
                                                             {"llama", HiddenAct::silu},
                                                             {"qwen3", HiddenAct::silu}};
  for (const auto& [architecture, act] : known) {
    const SmallModel model(architecture);
    const ActOutcome plain = run_small(model);
    EXPECT_EQ(plain.info.act, act) << architecture;
    EXPECT_EQ(plain.info.certainty, Certainty::said) << architecture;
    EXPECT_TRUE(has(plain.info.reason, architecture));
    EXPECT_TRUE(plain.assumptions.empty()) << architecture;
    const HiddenAct other = act == HiddenAct::silu ? HiddenAct::relu2 : HiddenAct::silu;
    EXPECT_EQ(run_small(model, act).logits, plain.logits) << architecture;
    EXPECT_NE(run_small(model, other).logits, plain.logits) << architecture;
  }
}

TEST(HiddenAct, IsWhatTheKeySays) {
  for (const char* architecture : {"bitnet-b1.58", "bitnet", "llama", "qwen3"}) {
    for (const HiddenAct act : {HiddenAct::relu2, HiddenAct::silu}) {
      SmallModel model(architecture);
      const Logits want = run_small(model, act).logits;
      model.set(model.key("hidden_activation"), std::string(name_of(act)));
      const ActOutcome got = run_small(model);
      EXPECT_EQ(got.info.act, act) << architecture;
      EXPECT_EQ(got.logits, want) << architecture;
      EXPECT_EQ(got.info.certainty, Certainty::said);
      EXPECT_TRUE(has(got.info.reason, model.key("hidden_activation")));
      EXPECT_TRUE(LoadedModel(model).model.info().notes.empty()) << "the key is known";
    }
  }
}

TEST(HiddenAct, OfAnUnknownNameIsRefused) {
  for (const char* architecture : {"bitnet-b1.58", "bitnet", "llama"}) {
    for (const char* name : {"gelu", "", "RELU2", "relu2\n"}) {
      SmallModel model(architecture);
      model.set(model.key("hidden_activation"), name);
      EXPECT_TRUE(is_refused(model, {model.key("hidden_activation"), "not implemented", "--hidden-act"}));
    }
    SmallModel model(architecture);
    model.set(model.key("hidden_activation"), std::uint32_t{1});
    EXPECT_TRUE(is_refused(model, {model.key("hidden_activation")}));
  }
}

// As Microsoft's converter has labelled them since July 2026.
TEST(HiddenAct, Of1bitllmsModelsIsSiluThoughLabelledAs2b4t) {
  const AlignedBytes file = SmallModel("bitnet-b1.58", k1bitllm).build();
  const ActOutcome got = run_small(file);
  EXPECT_EQ(got.info.act, HiddenAct::silu);
  EXPECT_EQ(got.info.certainty, Certainty::concluded);
  EXPECT_TRUE(has(got.info.reason, "32002"));
  EXPECT_EQ(got.assumptions.size(), 1U);
  EXPECT_EQ(got.logits, run_small(file, HiddenAct::silu).logits);
  EXPECT_NE(got.logits, run_small(file, HiddenAct::relu2).logits);
}

// As llama.cpp's converter labels it.
TEST(HiddenAct, Of2b4tIsRelu2ThoughLabelledAs1bitllms) {
  const AlignedBytes file = SmallModel("bitnet", k2b4t).build();
  const ActOutcome got = run_small(file);
  EXPECT_EQ(got.info.act, HiddenAct::relu2);
  EXPECT_EQ(got.info.certainty, Certainty::concluded);
  EXPECT_TRUE(has(got.info.reason, "128256"));
  EXPECT_EQ(got.assumptions.size(), 1U);
  EXPECT_EQ(got.logits, run_small(file, HiddenAct::relu2).logits);
  EXPECT_NE(got.logits, run_small(file, HiddenAct::silu).logits);
}

// What is decided from the metadata alone.
HiddenActInfo decide_by_metadata(const std::string& architecture, const SmallShape& shape) {
  GgufBuilder b;
  b.add("tokenizer.ggml.model", shape.sentence_piece.value_or(false) ? "llama" : "gpt2");
  const std::vector<std::byte> bytes = b.build();
  Config config;
  config.architecture = architecture;
  config.gate_activation =
      architecture == "bitnet-b1.58" ? GateActivation::relu_squared : GateActivation::silu;
  config.sub_norms = architecture != "llama";
  config.n_layers = shape.layers;
  config.n_heads = shape.heads;
  config.n_kv_heads = shape.kv_heads;
  config.vocab = shape.vocab;
  return decide_hidden_act(gguf::File::from_bytes(bytes, "metadata"), config, {});
}

TEST(HiddenAct, IsConcludedWhereEverythingSpeaksForIt) {
  SmallShape large = k1bitllm;
  SmallShape three_billion = k1bitllm;
  three_billion.layers = 26;
  SmallShape more_tokens = k2b4t;  // fine-tuned
  more_tokens.vocab = 128260;
  for (const SmallShape& shape : {large, three_billion}) {
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).act, HiddenAct::silu);
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).certainty, Certainty::concluded);
    EXPECT_EQ(decide_by_metadata("bitnet", shape).act, HiddenAct::silu);
    EXPECT_EQ(decide_by_metadata("bitnet", shape).certainty, Certainty::said);
  }
  for (const SmallShape& shape : {k2b4t, more_tokens}) {
    EXPECT_EQ(decide_by_metadata("bitnet", shape).act, HiddenAct::relu2);
    EXPECT_EQ(decide_by_metadata("bitnet", shape).certainty, Certainty::concluded);
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).act, HiddenAct::relu2);
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).certainty, Certainty::said);
  }
  EXPECT_EQ(decide_by_metadata("llama", k2b4t).act,
            HiddenAct::silu);  // without sub-norms it is another model
}

TEST(HiddenAct, IsTheLabelsWhereOnlyHalfOfTheEvidenceSpeaksAgainstIt) {
  SmallShape other_depth = k1bitllm;
  other_depth.layers = 25;
  SmallShape other_vocabulary = k1bitllm;
  other_vocabulary.vocab = 32000;
  for (const SmallShape& shape : {other_depth, other_vocabulary}) {
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).act, HiddenAct::relu2);
    EXPECT_EQ(decide_by_metadata("bitnet-b1.58", shape).certainty, Certainty::assumed);
  }
  SmallShape other_2b = k2b4t;
  other_2b.layers = 29;
  EXPECT_EQ(decide_by_metadata("bitnet", other_2b).act, HiddenAct::silu);
  EXPECT_EQ(decide_by_metadata("bitnet", other_2b).certainty, Certainty::assumed);
  SmallShape grouped = k1bitllm;
  grouped.kv_heads = 2;
  EXPECT_EQ(decide_by_metadata("bitnet-b1.58", grouped).certainty, Certainty::said);
  // And says so where it is loaded.
  SmallShape shape = k1bitllm;
  shape.layers = 2;
  shape.vocab = 300;
  EXPECT_EQ(run_small(SmallModel("bitnet-b1.58", shape)).assumptions.size(), 1U);
}

TEST(HiddenAct, IsWhatTheCallerSaysBeforeAllElse) {
  SmallModel model("bitnet-b1.58");
  model.set(model.key("hidden_activation"), "silu");
  const Logits silu = run_small(model).logits;
  const ActOutcome overridden = run_small(model, HiddenAct::relu2);
  EXPECT_EQ(overridden.info.certainty, Certainty::said);
  EXPECT_TRUE(overridden.assumptions.empty());
  EXPECT_NE(overridden.logits, silu);
  model.set(model.key("hidden_activation"), "gelu");
  EXPECT_EQ(run_small(model, HiddenAct::relu2).logits, overridden.logits);
}

}  // namespace
}  // namespace bitnet::test
