// config.json: what it becomes in a GGUF file, and what is refused.
#include "convert/huggingface/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bitnet/error.h"
#include "convert/huggingface/hf_source.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"
#include "model/config.h"
#include "support/hf_folder.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using convert::HfConfig;
using convert::HfWeights;

// Qwen3-4B's.
convert::Json qwen3() {
  return convert::Json::parse(R"({"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"head_dim":128,
    "hidden_act":"silu","hidden_size":2560,"intermediate_size":9728,"max_position_embeddings":40960,
    "max_window_layers":36,"num_attention_heads":32,"num_hidden_layers":36,"num_key_value_heads":8,
    "rms_norm_eps":1e-06,"rope_scaling":null,"rope_theta":1000000,"sliding_window":null,
    "tie_word_embeddings":true,"use_sliding_window":false,"vocab_size":151936})");
}

// BitNet-b1.58-2B-4T's.
convert::Json bitnet() {
  return convert::Json::parse(
      R"({"architectures":["BitNetForCausalLM"],"bos_token_id":128000,"eos_token_id":128001,
    "hidden_act":"relu2","hidden_size":2560,"intermediate_size":6912,"max_position_embeddings":4096,
    "num_attention_heads":20,"num_hidden_layers":30,"num_key_value_heads":5,"rms_norm_eps":1e-05,
    "rope_theta":500000.0,"tie_word_embeddings":true,"vocab_size":128256,
    "quantization_config":{"linear_class":"autobitlinear","modules_to_not_convert":null,
                           "quant_method":"bitnet","quantization_mode":"offline"}})");
}

convert::Json llama() {
  return convert::Json::parse(R"({"architectures":["LlamaForCausalLM"],"hidden_act":"silu","hidden_size":4096,
    "intermediate_size":14336,"max_position_embeddings":8192,"num_attention_heads":32,"num_hidden_layers":32,
    "num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":500000.0,"vocab_size":128256,
    "quantization_config":{"quant_method":"bitnet"}})");
}

struct Converted {
  HfConfig config;
  std::vector<std::string> notes;
  std::vector<std::byte> header;  // a GGUF file without tensors
  gguf::File file;
};

Converted convert(const convert::Json& json, bool takes_dense = false) {
  gguf::KeyValues keys;
  keys.set("general.architecture", "");
  std::vector<std::string> notes;
  const HfConfig config = convert::read_hf_config(json, "config.json", takes_dense, keys, notes);
  const std::vector<std::string> tokens(static_cast<std::size_t>(json["vocab_size"]), "t");
  keys.set_array("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  std::vector<std::byte> header = gguf::Writer(std::move(keys), 32).header();
  gguf::File file = gguf::File::from_bytes(header, "x");
  return {config, std::move(notes), std::move(header), std::move(file)};
}

Config engine_config(const convert::Json& json) {
  const Converted converted = convert(json);
  std::vector<std::string> notes = converted.notes;
  Config config = read_config(converted.file, notes);
  EXPECT_TRUE(notes.empty()) << notes.front();
  return config;
}

std::string config_error(const convert::Json& json) {
  try {
    convert(json);
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

convert::Json with(convert::Json json, const char* field, convert::Json value) {
  json[field] = std::move(value);
  return convert::Json::parse(json.dump());  // whole numbers are unsigned then, as they are in a file
}

TEST(HfConfig, OfBitNet2B4TIsWhatTheEngineKnows) {
  const Config c = engine_config(bitnet());
  EXPECT_EQ(c.architecture, "bitnet-b1.58");
  EXPECT_EQ(c.n_layers, 30U);
  EXPECT_EQ(c.hidden, 2560U);
  EXPECT_EQ(c.n_heads, 20U);
  EXPECT_EQ(c.n_kv_heads, 5U);
  EXPECT_EQ(c.head_dim, 128U);
  EXPECT_EQ(c.ffn, 6912U);
  EXPECT_EQ(c.vocab, 128256U);
  EXPECT_EQ(c.context_length, 4096U);
  EXPECT_EQ(c.rope.theta, 500000);
  EXPECT_FLOAT_EQ(c.rms_eps, 1e-5F);
  const Converted converted = convert(bitnet());
  EXPECT_EQ(converted.file.get_string("bitnet-b1.58.hidden_activation"), "relu2");
  EXPECT_TRUE(converted.config.shape.tied);
}

TEST(HfConfig, AHeadThatIsNotItsShareOfTheHiddenStateIsSaid) {
  const Config c = engine_config(qwen3());
  EXPECT_EQ(c.head_dim, 128U);
  EXPECT_EQ(c.q_dim(), 4096U);
  convert::Json silent = qwen3();
  silent.erase("head_dim");  // transformers takes 128 then
  EXPECT_EQ(engine_config(silent).head_dim, 128U);
}

TEST(HfConfig, SaysHowWeightsAreStored) {
  EXPECT_EQ(convert(bitnet()).config.weights, HfWeights::multiplied);
  EXPECT_EQ(convert(llama()).config.weights, HfWeights::divided);
  convert::Json online = bitnet();
  online["quantization_config"]["quantization_mode"] = "online";
  EXPECT_EQ(convert(online).config.weights, HfWeights::masters);
  EXPECT_EQ(convert(qwen3()).config.weights, HfWeights::floats);
  convert::Json dense = bitnet();
  dense.erase("quantization_config");
  EXPECT_TRUE(has(config_error(dense), "--quantize absmean"));
  EXPECT_EQ(convert(dense, true).config.weights, HfWeights::floats);
  // 1bitLLM's models round their weights whatever config.json says.
  dense["architectures"] = {"BitnetForCausalLM"};
  dense["hidden_act"] = "silu";
  EXPECT_EQ(convert(dense).config.weights, HfWeights::masters);
}

TEST(HfConfig, ANameInTheListStandsForAllModulesWithIt) {
  convert::Json json = llama();
  json["quantization_config"]["modules_to_not_convert"] = {"lm_head", "layers.3."};
  const HfConfig config = convert(json).config;
  EXPECT_FALSE(config.is_converted("lm_head"));
  EXPECT_FALSE(config.is_converted("model.layers.3.mlp.up_proj"));
  EXPECT_TRUE(config.is_converted("model.layers.30.mlp.up_proj"));
}

TEST(HfConfig, RefusesAClassThatIsNotKnownByItsName) {
  EXPECT_TRUE(has(config_error(with(llama(), "architectures", {"FalconH1ForCausalLM"})),
                  "'FalconH1ForCausalLM' is not supported"));
  EXPECT_TRUE(has(config_error(with(llama(), "architectures", {"LlamaForCausalLM", "QwenForCausalLM"})),
                  "architectures"));
  EXPECT_TRUE(has(config_error(with(llama(), "architectures", nullptr)), "architectures"));
}

TEST(HfConfig, RefusesAnotherQuantization) {
  const auto quantized = [](const char* field, const convert::Json& value) {
    convert::Json json = llama();
    json["quantization_config"][field] = value;
    return json;
  };
  EXPECT_TRUE(has(config_error(quantized("quant_method", "gptq")), "'gptq' is not supported"));
  convert::Json mlx = llama();
  mlx["quantization_config"] = {{"group_size", 128}, {"bits", 2}};
  EXPECT_TRUE(has(config_error(mlx), "MLX"));
  mlx["quantization"] = mlx["quantization_config"];
  mlx.erase("quantization_config");
  EXPECT_TRUE(has(config_error(mlx), "MLX"));
  EXPECT_TRUE(has(config_error(quantized("use_rms_norm", true)), "use_rms_norm"));
  EXPECT_TRUE(has(config_error(quantized("linear_class", "bitline")), "'bitline' is unknown"));
  EXPECT_TRUE(has(config_error(quantized("quantization_mode", "dynamic")), "'dynamic' is unknown"));
  EXPECT_TRUE(has(config_error(quantized("modules_to_not_convert", "lm_head")), "no list of names"));
  EXPECT_TRUE(has(config_error(quantized("modules_to_not_convert", {""})), "no list of names"));
  EXPECT_TRUE(has(config_error(with(llama(), "quantization_config", 5)), "quantization_config"));
}

TEST(HfConfig, RefusesWhatAsksForAnotherGraph) {
  EXPECT_TRUE(has(config_error(with(llama(), "attention_bias", true)), "attention_bias"));
  EXPECT_TRUE(has(config_error(with(llama(), "sliding_window", 4096)), "sliding_window"));
  EXPECT_TRUE(has(config_error(with(qwen3(), "use_sliding_window", true)), "use_sliding_window"));
  EXPECT_TRUE(has(config_error(with(qwen3(), "layer_types", {"full_attention", "sliding_attention"})),
                  "layer_types"));
  EXPECT_TRUE(has(config_error(with(llama(), "partial_rotary_factor", 0.5)), "partial_rotary_factor"));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_parameters", {{"partial_rotary_factor", 0.5}})),
                  "partial_rotary_factor"));
  EXPECT_TRUE(has(config_error(with(llama(), "hidden_act", "gelu")), "'gelu' is not implemented"));
  EXPECT_TRUE(has(config_error(with(qwen3(), "hidden_act", "relu2")), "'relu2' is not implemented"));
}

TEST(HfConfig, RefusesWhatMultipliesCapsOrAddsToWhatTheGraphComputes) {
  // Granite's, MiniCPM's, Cohere's, Gemma's, OLMo's, and what no class is known for.
  const std::vector<std::pair<const char*, convert::Json>> all = {{"embedding_multiplier", 12.0},
                                                                  {"residual_multiplier", 0.22},
                                                                  {"residual_multiplier", 0},
                                                                  {"attention_multiplier", 1.0},
                                                                  {"logits_scaling", 8.0},
                                                                  {"logits_scaling", "8"},
                                                                  {"logit_scale", 0.0625},
                                                                  {"scale_emb", 12},
                                                                  {"scale_depth", 1.4},
                                                                  {"dim_model_base", 256},
                                                                  {"query_pre_attn_scalar", 256},
                                                                  {"final_logit_softcapping", 30.0},
                                                                  {"attn_logit_softcapping", 50.0},
                                                                  {"mlp_bias", true},
                                                                  {"qkv_bias", true},
                                                                  {"clip_qkv", 8},
                                                                  {"use_qk_norm", true},
                                                                  {"parallel_attn", true},
                                                                  {"alibi", true},
                                                                  {"no_rope_layers", {1, 1, 1, 0}},
                                                                  {"attention_chunk_size", 8192},
                                                                  {"rope_interleaved", true},
                                                                  {"rotary_dim", 64},
                                                                  {"moe_layer_freq", 2},
                                                                  {"num_shared_experts", 1},
                                                                  {"value_multiplier", 2}};
  for (const auto& [field, value] : all) {
    EXPECT_TRUE(has(config_error(with(llama(), field, value)), std::string(field) + ": "));
  }
  EXPECT_TRUE(has(config_error(with(llama(), "hidden_activation", "gelu")), "but hidden_act is 'silu'"));
}

TEST(HfConfig, TakesSuchFieldsWhenTheySayThatNothingIsAsked) {
  convert::Json json = qwen3();
  for (const char* field : {"embedding_multiplier", "residual_multiplier", "logits_scaling", "scale_emb"}) {
    json[field] = 1.0;
  }
  json["attention_multiplier"] = 0.08838834764831845;
  json["query_pre_attn_scalar"] = 128;
  json["final_logit_softcapping"] = nullptr;
  json["attn_logit_softcapping"] = 0.0;
  json["logit_scale"] = nullptr;
  json["mlp_bias"] = false;
  json["no_rope_layers"] = convert::Json::array();
  json["use_qk_norm"] = true;  // as the family has it
  json["hidden_activation"] = "silu";
  engine_config(json);  // says nothing of them
}

TEST(HfConfig, NamesFieldsThatItDoesNotKnow) {
  convert::Json json = llama();
  json["wavelet_order"] = 3;
  json["old_feature"] = false;
  json["torch_dtype"] = "bfloat16";
  EXPECT_EQ(
      convert(json).notes,
      std::vector<std::string>{"config.json has fields that are unknown and were ignored: wavelet_order"});
  for (int i = 0; i < 9; ++i) json["field_" + std::to_string(i)] = i + 1;
  EXPECT_TRUE(has(convert(json).notes.at(0), "and 2 more"));
}

TEST(HfConfig, RefusesValuesWithoutSense) {
  for (const char* field : {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                            "max_position_embeddings", "vocab_size"}) {
    EXPECT_TRUE(has(config_error(with(llama(), field, nullptr)), std::string(field) + ": missing"));
    for (const convert::Json& value : {convert::Json(0), convert::Json(-1), convert::Json(1.5),
                                       convert::Json("8"), convert::Json(std::uint64_t{1} << 63)}) {
      if (std::string(field) == "vocab_size") continue;
      EXPECT_TRUE(has(config_error(with(llama(), field, value)), field));
    }
  }
  EXPECT_TRUE(has(config_error(with(llama(), "num_key_value_heads", 7)), "does not divide"));
  EXPECT_TRUE(has(config_error(with(llama(), "num_attention_heads", 24)), "does not divide"));
  EXPECT_TRUE(has(config_error(with(llama(), "rms_norm_eps", 2)), "rms_norm_eps"));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_theta", 0)), "rope_theta"));
  EXPECT_TRUE(has(config_error(with(llama(), "head_dim", 127)), "not even"));
}

TEST(HfConfig, YarnIsKeptWithItsOwnMagnitude) {
  const convert::Json scaling = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 8192}};
  const Rope rope = engine_config(with(qwen3(), "rope_scaling", scaling)).rope;
  EXPECT_EQ(rope.factor, 4);
  EXPECT_EQ(rope.original_context, 8192);
  EXPECT_EQ(rope.extrapolation, 1);
  EXPECT_EQ(rope.beta_fast, 32);
  EXPECT_NEAR(make_rope_table(rope, {}).magnitude, 1 + 0.1 * std::log(4.0), 1e-9);
}

TEST(HfConfig, TheOriginalContextMayStandOutsideOfTheScaling) {
  const convert::Json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}};
  convert::Json json = with(qwen3(), "rope_scaling", yarn);
  EXPECT_EQ(engine_config(with(json, "original_max_position_embeddings", 8192)).rope.original_context, 8192);
  EXPECT_TRUE(has(config_error(with(json, "original_max_position_embeddings", 8192.5)), "no whole number"));
  const convert::Json llama3 = {
      {"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}};
  json = with(llama(), "rope_scaling", llama3);
  EXPECT_TRUE(has(config_error(json), "original_max_position_embeddings: missing"));
  convert::Json inside = llama3;
  inside["original_max_position_embeddings"] = 8192;
  EXPECT_EQ(convert(with(json, "original_max_position_embeddings", 8192)).config.rope_factors,
            convert(with(llama(), "rope_scaling", inside)).config.rope_factors);
}

TEST(HfConfig, AMagnitudeThatIsGivenStandsForYarns) {
  const convert::Json scaling = {
      {"type", "yarn"}, {"factor", 4.0}, {"attention_factor", 1.5}, {"beta_fast", 16}, {"beta_slow", 2}};
  const Rope rope = engine_config(with(qwen3(), "rope_scaling", scaling)).rope;
  EXPECT_NEAR(make_rope_table(rope, {}).magnitude, 1.5, 1e-6);
  EXPECT_EQ(rope.beta_fast, 16);
  EXPECT_EQ(rope.beta_slow, 2);
  EXPECT_EQ(rope.original_context, 40960);
}

TEST(HfConfig, LinearScalingAndTheFormOfVersion5AreKept) {
  convert::Json json = llama();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 250000.0}};
  const Rope rope = engine_config(json).rope;
  EXPECT_EQ(rope.theta, 250000);
  EXPECT_EQ(rope.factor, 2);
  EXPECT_EQ(rope.extrapolation, 0);
}

// The wavelength of pair i is 2 pi theta^(i / 64). Below context / high it stays, above context / low it is
// stretched by the factor.
TEST(HfConfig, Llama3ScalingDividesLongWavelengths) {
  const convert::Json scaling = {{"rope_type", "llama3"},
                                 {"factor", 8.0},
                                 {"low_freq_factor", 1.0},
                                 {"high_freq_factor", 4.0},
                                 {"original_max_position_embeddings", 8192}};
  const HfConfig config = convert(with(llama(), "rope_scaling", scaling)).config;
  ASSERT_EQ(config.rope_factors.size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) {
    const double wavelength = 2 * 3.14159265358979 * std::pow(500000.0, static_cast<double>(i) / 64);
    if (wavelength < 2048) {
      EXPECT_EQ(config.rope_factors[i], 1.0F) << i;
    } else if (wavelength > 8192) {
      EXPECT_EQ(config.rope_factors[i], 8.0F) << i;
    } else {
      const double share = (8192 / wavelength - 1) / 3;  // of the frequency that stays
      EXPECT_NEAR(1 / static_cast<double>(config.rope_factors[i]), share + (1 - share) / 8, 1e-6) << i;
    }
  }
  EXPECT_TRUE(has(config_error(with(qwen3(), "rope_scaling", scaling)),
                  "'llama3' is not implemented for this architecture"));
}

TEST(HfConfig, RefusesPositionsThatAreSaidInTwoWays) {
  const auto refusal = [](const char* field, const convert::Json& value, const convert::Json& parameters) {
    convert::Json json = with(llama(), "rope_parameters", parameters);
    return config_error(with(json, field, value));
  };
  const convert::Json linear = {{"rope_type", "linear"}, {"factor", 2.0}};
  EXPECT_TRUE(has(refusal("rope_theta", 500000.0, {{"rope_theta", 10000.0}}),
                  "rope_theta: 500000.0, but rope_parameters.rope_theta is 10000.0"));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_scaling", {{"rope_theta", 10000.0}})),
                  "rope_theta: 500000.0, but rope_scaling.rope_theta is 10000.0"));
  EXPECT_TRUE(has(refusal("rope_scaling", {{"type", "yarn"}, {"factor", 2.0}}, linear),
                  "rope_parameters.rope_type: \"linear\", but rope_scaling.type is \"yarn\""));
  EXPECT_TRUE(has(refusal("rope_scaling", linear, {{"rope_theta", 500000.0}}),
                  "rope_parameters: {\"rope_theta\":500000.0}, but rope_scaling is {"));
  EXPECT_TRUE(has(refusal("rope_scaling", {{"type", "linear"}, {"factor", 4.0}}, linear),
                  "rope_parameters.factor: 2.0, but rope_scaling.factor is 4.0"));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_scaling",
                                    {{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 2.0}})),
                  "rope_scaling.rope_type: \"yarn\", but rope_scaling.type is \"linear\""));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_scaling", {{"factor", 2.0}})),
                  "rope_scaling.rope_type: missing, and there is 'factor'"));
  EXPECT_TRUE(has(refusal("partial_rotary_factor", 1.0, {{"partial_rotary_factor", 0.5}}),
                  "partial_rotary_factor: 1.0, but rope_parameters.partial_rotary_factor is 0.5"));
  EXPECT_TRUE(
      has(refusal("original_max_position_embeddings", 4096,
                  {{"rope_type", "yarn"}, {"factor", 2.0}, {"original_max_position_embeddings", 2048}}),
          "original_max_position_embeddings: 4096, but rope_parameters."));
}

TEST(HfConfig, TakesPositionsThatAreSaidTwiceInTheSameWay) {
  convert::Json json = llama();
  json["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 500000.0}};
  json["rope_scaling"] = {{"type", "linear"}, {"rope_type", "linear"}, {"factor", 2}};
  json["partial_rotary_factor"] = 1.0;
  const Rope rope = engine_config(json).rope;
  EXPECT_EQ(rope.theta, 500000);
  EXPECT_EQ(rope.factor, 2);
  json["rope_parameters"] = {{"rope_theta", 500000.0}};
  json.erase("rope_scaling");
  EXPECT_EQ(engine_config(json).rope.factor, 1);
}

TEST(HfConfig, RefusesScalingThatIsNotKnown) {
  EXPECT_TRUE(has(config_error(with(llama(), "rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}})),
                  "differ from layer to layer"));
  EXPECT_TRUE(has(config_error(with(llama(), "rope_scaling", {{"type", "longrope"}})),
                  "'longrope' is not implemented"));
  EXPECT_TRUE(
      has(config_error(with(llama(), "rope_scaling", {{"type", "linear"}})), "rope_scaling.factor: missing"));
  EXPECT_TRUE(
      has(config_error(with(qwen3(), "rope_scaling", {{"type", "yarn"}, {"factor", 4}, {"mscale", 0.7}})),
          "mscale"));
  EXPECT_TRUE(
      has(config_error(with(llama(), "rope_scaling", {{"type", "linear"}, {"factor", "x"}})), "factor"));
}

}  // namespace
}  // namespace bitnet::test
