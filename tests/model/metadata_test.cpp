// What a model's keys must say to be run: everything else is refused by the key's name, never guessed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "bitnet/error.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class EveryArchitecture : public ::testing::TestWithParam<const char*> {
 protected:
  SmallModel model{GetParam()};
};

TEST_P(EveryArchitecture, LoadsAndIsDescribed) {
  const LoadedModel loaded(model);
  const ModelInfo& info = loaded.model.info();
  EXPECT_EQ(info.file, "small.gguf");
  EXPECT_EQ(info.name, "small");
  EXPECT_EQ(info.architecture, GetParam());
  EXPECT_EQ(info.n_layers, 2U);
  EXPECT_EQ(info.hidden, 128U);
  EXPECT_EQ(info.n_heads, 4U);
  EXPECT_EQ(info.n_kv_heads, 2U);
  EXPECT_EQ(info.head_dim, 32U);
  EXPECT_EQ(info.ffn, 256U);
  EXPECT_EQ(info.vocab, 300U);
  EXPECT_EQ(info.context_length, 64U);
  EXPECT_EQ(info.file_bytes, loaded.file.span().size());
  EXPECT_TRUE(info.tied_output);
  EXPECT_TRUE(info.notes.empty());
  EXPECT_FALSE(loaded.model.tokenizer().encode("any text \xC3\xA4", {}).empty());
}

TEST_P(EveryArchitecture, RefusesAMissingRequiredKey) {
  for (const std::string& key :
       {model.key("context_length"), model.key("embedding_length"), model.key("block_count"),
        model.key("feed_forward_length"), model.key("attention.head_count"),
        model.key("attention.layer_norm_rms_epsilon"), std::string("general.architecture"),
        std::string("tokenizer.ggml.model"), std::string("tokenizer.ggml.tokens")}) {
    SmallModel m = model;
    EXPECT_TRUE(is_refused(m.remove_key(key), {key, "missing"}));
  }
}

TEST_P(EveryArchitecture, DoesWithoutAnyOtherKey) {
  for (const char* suffix : {"vocab_size", "rope.dimension_count", "rope.freq_base"}) {
    SmallModel m = model;
    EXPECT_EQ(logits(m.remove_key(m.key(suffix))), logits(model)) << suffix;  // 10000 is the default base
  }
  SmallModel full(GetParam(), {.kv_heads = 4});
  const auto want = logits(full);
  EXPECT_EQ(logits(full.remove_key(full.key("attention.head_count_kv"))), want);
  for (const char* key : {"general.name", "tokenizer.ggml.token_type", "tokenizer.ggml.add_bos_token"}) {
    SmallModel m = model;
    EXPECT_EQ(logits(m.remove_key(key)), logits(model)) << key;
  }
}

TEST_P(EveryArchitecture, RefusesAValueOfTheWrongType) {
  for (const std::string& key : model.keys()) {
    SmallModel m = model;
    EXPECT_TRUE(is_refused(m.set(key, std::vector<bool>{true}), {key}));
  }
  SmallModel m = model;
  EXPECT_TRUE(is_refused(m.set(m.key("block_count"), 2.0F), {m.key("block_count")}));
  m = model;
  EXPECT_TRUE(is_refused(m.set(m.key("rope.freq_base"), "10000"), {m.key("rope.freq_base")}));
  m = model;
  EXPECT_TRUE(
      is_refused(m.set("tokenizer.ggml.token_type", std::vector<float>(300)), {"tokenizer.ggml.token_type"}));
}

TEST_P(EveryArchitecture, TakesANumberInAnyTypeThatHoldsIt) {
  SmallModel m = model;
  m.set(m.key("block_count"), std::uint8_t{2}).set(m.key("embedding_length"), std::int64_t{128});
  m.set(m.key("rope.freq_base"), std::uint32_t{10000}).set(m.key("attention.layer_norm_rms_epsilon"), 1e-5);
  EXPECT_EQ(logits(m), logits(model));
}

INSTANTIATE_TEST_SUITE_P(Metadata, EveryArchitecture,
                         ::testing::Values("bitnet-b1.58", "bitnet-25", "bitnet", "llama", "qwen3",
                                           "minicpm"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

// A value under the architecture's prefix that has to be refused by its key.
struct Senseless {
  const char* suffix;
  std::variant<std::int64_t, std::uint64_t, double, bool, const char*> value;
};

void set(SmallModel& model, const Senseless& bad) {
  std::visit([&](auto value) { model.set(model.key(bad.suffix), value); }, bad.value);
}

TEST(Metadata, RefusesCountsThatNoModelHas) {
  for (const char* suffix : {"block_count", "embedding_length", "feed_forward_length", "context_length",
                             "attention.head_count", "attention.head_count_kv", "vocab_size",
                             "rope.dimension_count", "attention.key_length", "attention.value_length"}) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                      std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      SmallModel m("llama");
      EXPECT_TRUE(is_refused(m.set(m.key(suffix), value), {m.key(suffix), std::to_string(value)}));
    }
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.set(m.key(suffix), std::int32_t{-1}), {m.key(suffix), "-1"}));
  }
}

TEST(Metadata, RefusesNumbersThatContradictEachOtherOrMeanNothing) {
  const std::vector<Senseless> all = {
      {"attention.head_count", std::int64_t{3}},     // does not divide 128
      {"attention.head_count", std::int64_t{128}},   // heads of one value cannot be rotated
      {"attention.head_count_kv", std::int64_t{3}},  // does not divide 4
      {"attention.head_count_kv", std::int64_t{8}},  // more than 4
      {"attention.key_length", std::int64_t{33}},    // odd
      {"attention.value_length", std::int64_t{64}},  // the keys have 32
      {"rope.dimension_count", std::int64_t{16}},    // half of the head
      {"rope.dimension_count", std::int64_t{15}},    // odd
      {"rope.dimension_count", std::int64_t{64}},    // more than the head
      {"rope.scaling.factor", kNoNumber},
      {"rope.scaling.factor", 0.5},
      {"rope.scaling.factor", -4.0},
      {"rope.scaling.factor", kInfinity},
      {"rope.scale_linear", 0.5},
      {"rope.scaling.attn_factor", 0.0},
      {"rope.scaling.attn_factor", kNoNumber},
      {"rope.scaling.original_context_length", std::int64_t{0}},
      {"rope.scaling.yarn_ext_factor", 1.5},
      {"rope.scaling.yarn_ext_factor", kNoNumber},
      {"rope.scaling.yarn_attn_factor", 0.0},
      {"rope.scaling.yarn_beta_fast", 0.0},
      {"rope.scaling.yarn_beta_slow", -1.0},
      {"rope.scaling.yarn_beta_slow", kInfinity},
      {"vocab_size", std::int64_t{299}},  // the tokenizer has 300
      {"vocab_size", std::int64_t{301}},
      {"rope.freq_base", 0.0},
      {"rope.freq_base", 0.5},
      {"rope.freq_base", -10000.0},
      {"rope.freq_base", 1e13},
      {"rope.freq_base", kNoNumber},
      {"rope.freq_base", kInfinity},
      {"attention.layer_norm_rms_epsilon", -1e-5},
      {"attention.layer_norm_rms_epsilon", 1.0},
      {"attention.layer_norm_rms_epsilon", kNoNumber},
      {"attention.layer_norm_rms_epsilon", kInfinity},
  };
  for (const Senseless& bad : all) {
    SmallModel m("llama");
    set(m, bad);
    EXPECT_TRUE(is_refused(m, {m.key(bad.suffix)}));
  }
}

TEST(Metadata, RefusesKeysThatAskForAnotherGraph) {
  const std::vector<Senseless> all = {
      {"rope.scaling.type", "longrope"},
      {"rope.scaling.type", "llama3"},  // stands in rope_freqs.weight
      {"rope.scaling.type", "YARN"},
      {"rope.scaling.type", ""},
      {"rope.scaling.yarn_log_multiplier", 0.1},
      {"rope.scaling.alpha", 1000.0},
      {"rope.dimension_sections", std::int64_t{16}},
      {"rope.dimension_count_swa", std::int64_t{16}},
      {"rope.freq_base_swa", 10000.0},
      {"attention.temperature_scale", 0.1},
      {"attention.q_lora_rank", std::int64_t{512}},
      {"full_attention_interval", std::int64_t{4}},
      {"nextn_predict_layers", std::int64_t{1}},
      {"attention.causal", false},
      {"attention.sliding_window", std::int64_t{4096}},
      {"attention.scale", 0.125},
      {"attention.clamp_kqv", 8.0},
      {"attention.max_alibi_bias", 8.0},
      {"attn_logit_softcapping", 50.0},
      {"final_logit_softcapping", 30.0},
      {"logit_scale", 0.0625},
      {"residual_scale", 1.4},
      {"embedding_scale", 12.0},
      {"embedding_scale", "12"},
      {"attention.scale", 1.0},
      {"attention.output_scale", 0.5},
      {"attention.value_scale", 2.0},
      {"rescale_every_n_layers", std::int64_t{6}},
      {"norm_before_residual", true},
      {"embedding_multiplier", 12.0},
      {"expert_count", std::int64_t{8}},
      {"expert_used_count", std::int64_t{2}},
      {"ssm.conv_kernel", std::int64_t{4}},
      {"attention.hadamard", true},
      {"weights.hadamard", std::int64_t{0}},
      {"rotation", "none"},
  };
  for (const Senseless& bad : all) {
    SmallModel m("llama");
    set(m, bad);
    EXPECT_TRUE(is_refused(m, {"key " + m.key(bad.suffix)}));
  }
  SmallModel m("llama");
  EXPECT_TRUE(is_refused(m.set("quantize.hadamard_block", std::uint32_t{128}), {"quantize.hadamard_block"}));
}

TEST(Metadata, RefusesAFactorOfPositionsThatIsSaidInTwoWays) {
  SmallModel m("llama");
  m.set(m.key("rope.scaling.factor"), 2.0F).set(m.key("rope.scale_linear"), 4.0F);
  EXPECT_TRUE(is_refused(m, {"llama.rope.scaling.factor: 2, but llama.rope.scale_linear is 4"}));
  m.set(m.key("rope.scaling.factor"), 0.0F);  // is not set
  SmallModel older("llama");
  EXPECT_EQ(logits(m), logits(older.set(older.key("rope.scale_linear"), 4.0F)));
}

TEST(Metadata, TakesSuchKeysWhenTheySayThatNothingIsAsked) {
  SmallModel m("llama");
  const auto want = logits(m);
  for (const Senseless& off : std::vector<Senseless>{{"rope.scaling.type", "none"},
                                                     {"rope.scaling.factor", 1.0},
                                                     {"rope.scale_linear", 1.0},
                                                     {"attention.causal", true},
                                                     {"attention.sliding_window", std::int64_t{0}},
                                                     {"attention.clamp_kqv", 0.0},
                                                     {"attention.scale", 1 / std::sqrt(32.0)},
                                                     {"attention.output_scale", 1.0},
                                                     {"attention.value_scale", 0.0},
                                                     {"logit_scale", 1.0},
                                                     {"residual_scale", 1.0},
                                                     {"embedding_scale", 1.0},
                                                     {"rope.scaling.alpha", 1.0},
                                                     {"final_logit_softcapping", 0.0},
                                                     {"expert_count", std::int64_t{0}},
                                                     {"attention.key_length", std::int64_t{32}},
                                                     {"attention.value_length", std::int64_t{32}}}) {
    set(m, off);
  }
  EXPECT_EQ(logits(m), want);
  EXPECT_TRUE(LoadedModel(m).model.info().notes.empty());
}

// As converters write them that know models whose layers differ.
TEST(Metadata, TakesAnArrayWithTheSameValueForEachLayer) {
  SmallModel m("llama");
  const auto want = logits(m);
  m.set(m.key("attention.head_count"), std::vector<std::uint32_t>{4, 4});
  m.set(m.key("attention.head_count_kv"), std::vector<std::int64_t>{2, 2});
  m.set(m.key("feed_forward_length"), std::vector<std::int32_t>{256, 256});
  m.set(m.key("attention.key_length"), std::vector<std::uint8_t>{32, 32});
  m.set(m.key("attention.value_length"), std::vector<std::uint32_t>{32, 32});
  m.set(m.key("rope.dimension_count"), std::vector<std::uint32_t>{32, 32});
  m.set(m.key("rope.freq_base"), std::vector<float>{10000, 10000});
  m.set(m.key("attention.layer_norm_rms_epsilon"), std::vector<float>{1e-5F, 1e-5F});
  m.set(m.key("attention.sliding_window_pattern"), std::vector<bool>{false, false});
  m.set(m.key("expert_count"), std::vector<std::uint32_t>{0, 0});
  EXPECT_EQ(logits(m), want);
}

TEST(Metadata, RefusesLayersThatDifferByTheNameOfTheirKey) {
  for (const char* suffix : {"attention.head_count", "attention.head_count_kv", "feed_forward_length",
                             "attention.key_length", "attention.value_length", "rope.dimension_count"}) {
    const auto is_refused_with = [&](std::vector<std::int32_t> values, const char* part) {
      SmallModel m("llama");
      return is_refused(m.set(m.key(suffix), std::move(values)), {"key " + m.key(suffix), part});
    };
    EXPECT_TRUE(is_refused_with({4, 2}, "4 in layer 0 and 2 in layer 1"));
    EXPECT_TRUE(is_refused_with({4, 4, 4}, "an array of 3 values for 2 layers"));
    EXPECT_TRUE(is_refused_with({4}, "an array of 1 values for 2 layers"));
    EXPECT_TRUE(is_refused_with({-4, -4}, "-4 is not between 1 and"));
    EXPECT_TRUE(is_refused_with({0, 0}, "0 is not between 1 and"));
    EXPECT_TRUE(is_refused_with({}, "an array without values"));
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.set(m.key(suffix), std::vector<float>{4, 4}), {m.key(suffix), "array of f32"}));
  }
  for (const char* suffix : {"rope.freq_base", "attention.layer_norm_rms_epsilon"}) {
    SmallModel m("llama");
    m.set(m.key(suffix), std::vector<float>{0.5F, 0.25F});
    EXPECT_TRUE(is_refused(m, {"key " + m.key(suffix), "0.5 in layer 0 and 0.25 in layer 1"}));
    m.set(m.key(suffix), std::vector<float>{static_cast<float>(kNoNumber), static_cast<float>(kNoNumber)});
    EXPECT_TRUE(is_refused(m, {"key " + m.key(suffix)}));
  }
  for (const char* suffix : {"block_count", "embedding_length", "context_length", "vocab_size"}) {
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.set(m.key(suffix), std::vector<std::uint32_t>{2, 2}), {m.key(suffix)}));
  }
  SmallModel m("llama");
  m.set(m.key("attention.sliding_window_pattern"), std::vector<bool>{false, true});
  EXPECT_TRUE(is_refused(m, {m.key("attention.sliding_window_pattern"), "not implemented"}));
}

TEST(Metadata, RefusesAnUnknownArchitecture) {
  for (const char* name : {"qwen3moe", "qwen35", "bitnet-b1.59", "BitNet", "", "llama\n\x1b[31m"}) {
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.set("general.architecture", name), {"general.architecture", "bitnet-b1.58"}));
  }
  SmallModel m("llama");  // whose keys are then another's
  EXPECT_TRUE(is_refused(m.set("general.architecture", "bitnet"), {"bitnet.block_count", "missing"}));
}

TEST(Metadata, TwoNamesOfOneArchitectureGiveTheSameModel) {
  EXPECT_EQ(logits(SmallModel("bitnet-25")), logits(SmallModel("bitnet-b1.58")));
}

TEST(Metadata, HeadsMayHaveAnotherWidthThanTheirShareOfTheHiddenState) {
  for (const char* architecture : {"llama", "bitnet-b1.58"}) {
    SmallModel m(architecture, {.head_dim = 64});
    EXPECT_EQ(LoadedModel(m).model.info().head_dim, 64U);
    EXPECT_EQ(logits(m).size(), 3U);
    EXPECT_TRUE(is_refused(m.remove_key(m.key("attention.key_length")), {m.key("attention.value_length")}));
  }
}

TEST(Metadata, NotesUnknownKeysOfTheArchitectureAndNoOthers) {
  SmallModel m("llama");
  m.set("llama.some.thing", std::uint32_t{7}).set("general.some.thing", std::uint32_t{7});
  const LoadedModel loaded(m);
  ASSERT_EQ(loaded.model.info().notes.size(), 1U);
  EXPECT_TRUE(has(loaded.model.info().notes[0], "llama.some.thing"));
}

TEST(Metadata, NotesOnlyTheFirstOfManyUnknownKeys) {
  SmallModel m("llama");
  for (int i = 0; i < 1000; ++i) m.set("llama.unknown." + std::to_string(i), true);
  const LoadedModel loaded(m);
  const std::vector<std::string>& notes = loaded.model.info().notes;
  EXPECT_LT(notes.size(), 20U);
  EXPECT_TRUE(has(notes.back(), std::to_string(1000 - notes.size() + 1)));
}

TEST(Metadata, HostileNamesStayOnOneLine) {
  SmallModel m("llama");
  EXPECT_TRUE(is_refused(m.set("llama.expert\n\x1b[31m", true), {"llama.expert\\n\\x1b[31m"}));
  const AlignedBytes file = SmallModel("llama").remove_key("llama.block_count").build();
  for (const bool whole : {true, false}) {  // refused by this layer, or by the one that reads the file
    try {
      Model::from_bytes(file.span().first(whole ? file.span().size() : 100), "a\nb\x1b.gguf");
      FAIL() << "it loads";
    } catch (const ModelError& error) {
      EXPECT_EQ(std::string(error.what()).find_first_of("\n\x1b"), std::string::npos) << error.what();
    }
  }
}

TEST(Metadata, RefusesAVocabularyThatContradictsItself) {
  const auto expect_refused = [](const char* architecture, const char* key, auto value) {
    SmallModel m(architecture);
    EXPECT_TRUE(is_refused(m.set(key, value), {key})) << architecture;
  };
  expect_refused("bitnet", "tokenizer.ggml.scores", std::vector<float>(299));
  expect_refused("bitnet", "tokenizer.ggml.scores", std::vector<float>());
  expect_refused("bitnet", "tokenizer.ggml.scores",
                 std::vector<float>(300, std::numeric_limits<float>::quiet_NaN()));
  expect_refused("bitnet", "tokenizer.ggml.token_type", std::vector<std::int32_t>(301, 1));
  expect_refused("bitnet", "tokenizer.ggml.token_type", std::vector<std::int32_t>(300, 7));
  expect_refused("bitnet", "tokenizer.ggml.token_type", std::vector<std::int64_t>(300, (1LL << 32) + 1));
  expect_refused("bitnet", "tokenizer.ggml.token_type", std::vector<std::uint64_t>(300, ~0ULL));
  expect_refused("bitnet", "tokenizer.ggml.model", "t5");
  expect_refused("llama", "tokenizer.ggml.pre", "unheard-of");
  expect_refused("llama", "tokenizer.ggml.merges", std::vector<std::string>{"ab"});
  expect_refused("llama", "tokenizer.ggml.bos_token_id", std::uint32_t{300});
  expect_refused("llama", "tokenizer.ggml.eos_token_id", std::uint64_t{1} << 32);
  expect_refused("llama", "tokenizer.ggml.eot_token_id", std::int32_t{-1});
  expect_refused("llama", "tokenizer.ggml.tokens", std::vector<std::string>());
  expect_refused("llama", "tokenizer.ggml.tokens", std::vector<std::string>(299, "x"));
  expect_refused("llama", "tokenizer.chat_template", std::uint32_t{1});
  SmallModel m("bitnet");
  EXPECT_TRUE(is_refused(m.remove_key("tokenizer.ggml.scores"), {"tokenizer.ggml.scores", "missing"}));
}

}  // namespace
}  // namespace bitnet::test
