#include "convert/huggingface/other_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "base/joined.h"
#include "base/printable.h"

namespace bitnet::convert {
namespace {

// Read and checked, each where it is needed.
constexpr std::array<std::string_view, 35> kRead{"architectures",
                                                 "vocab_size",
                                                 "hidden_size",
                                                 "num_hidden_layers",
                                                 "intermediate_size",
                                                 "tie_word_embeddings",
                                                 "max_position_embeddings",
                                                 "original_max_position_embeddings",
                                                 "num_attention_heads",
                                                 "num_key_value_heads",
                                                 "head_dim",
                                                 "rms_norm_eps",
                                                 "hidden_act",
                                                 "hidden_activation",
                                                 "activation_function",
                                                 "mlp_hidden_act",
                                                 "rope_parameters",
                                                 "rope_scaling",
                                                 "rope_theta",
                                                 "partial_rotary_factor",
                                                 "layer_types",
                                                 "quantization_config",
                                                 "bos_token_id",
                                                 "eos_token_id",
                                                 "pad_token_id",
                                                 "unk_token_id",
                                                 "num_experts",
                                                 "num_local_experts",
                                                 "n_routed_experts",
                                                 "sliding_window",
                                                 "use_sliding_window",
                                                 "max_window_layers",
                                                 "num_experts_per_tok",
                                                 "norm_topk_prob",
                                                 "nope_on_global_attention"};

// Of no bearing on logits: of training, of the file, of how text is generated, and what every configuration
// of transformers' has.
constexpr std::array<std::string_view, 52> kIdle{"_name_or_path",
                                                 "_attn_implementation",
                                                 "_attn_implementation_autoset",
                                                 "model_type",
                                                 "name",
                                                 "auto_map",
                                                 "transformers_version",
                                                 "transformers.js_config",
                                                 "unsloth_version",
                                                 "unsloth_fixed",
                                                 "torch_dtype",
                                                 "dtype",
                                                 "use_cache",
                                                 "use_bfloat16",
                                                 "tokenizer_class",
                                                 "attention_dropout",
                                                 "hidden_dropout",
                                                 "hidden_dropout_prob",
                                                 "attention_probs_dropout_prob",
                                                 "embd_pdrop",
                                                 "resid_pdrop",
                                                 "attn_pdrop",
                                                 "initializer_range",
                                                 "pretraining_tp",
                                                 "input_bits",
                                                 "weight_bits",
                                                 "activation",  // Falcon3's word for hidden_act and its gate
                                                 "moe_intermediate_size",
                                                 "router_aux_loss_coef",
                                                 "output_router_logits",
                                                 "return_dict",
                                                 "id2label",
                                                 "label2id",
                                                 "problem_type",
                                                 "sep_token_id",
                                                 "mask_token_id",
                                                 "cls_token_id",
                                                 "decoder_start_token_id",
                                                 "max_length",
                                                 "min_length",
                                                 "max_new_tokens",
                                                 "temperature",
                                                 "top_k",
                                                 "top_p",
                                                 "typical_p",
                                                 "do_sample",
                                                 "num_beams",
                                                 "num_beam_groups",
                                                 "num_return_sequences",
                                                 "repetition_penalty",
                                                 "length_penalty",
                                                 "early_stopping"};

// Parts of names of what multiplies: Granite's, MiniCPM's and Cohere's; by 1 is not at all.
constexpr std::array<std::string_view, 2> kFactors{"multiplier", "scal"};

// Parts of names of what else asks for another graph, in the classes that transformers has.
constexpr std::array<std::string_view, 27> kGraph{
    "softcap", "bias",      "window",    "use_rms_norm",   "qk_norm",     "qk_layernorm", "clip",
    "clamp",   "alibi",     "parallel_", "no_rope",        "nope",        "chunk_size",   "attn_temperature",
    "lora",    "mamba",     "ssm",       "dim_model_base", "interleaved", "rotary",       "rope_",
    "mup",     "per_layer", "altup",     "shared",         "nextn",       "sink"};
// ... of models without experts.
constexpr std::array<std::string_view, 2> kExperts{"expert", "moe"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

bool has_one_of(std::string_view name, std::span<const std::string_view> parts) {
  return std::ranges::any_of(
      parts, [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool is_nearly(const Json& value, double wanted) {
  constexpr double kRounded = 1e-4;  // what few decimals leave of a root
  return value.is_number() && std::fabs(value.get<double>() / wanted - 1) < kRounded;
}

class OtherFields {
 public:
  OtherFields(const FieldReader& config, const HfFamily& family, const HfShape& shape)
      : config_(config), family_(family), head_dim_(static_cast<double>(shape.head_dim)) {}

  void check(std::vector<std::string>& notes) const {
    constexpr std::size_t kMaxNamed = 8;
    std::vector<std::string> unknown;
    for (const auto& [name, value] : config_.fields().items()) {
      if (is_one_of(name, kRead) || is_one_of(name, kIdle) || is_neutral(name, value)) continue;
      if (asks_for_another_graph(name)) config_.refuse_graph(name);
      unknown.push_back(printable(name, kMaxPrintedName));
    }
    if (unknown.empty()) return;
    const std::size_t n = unknown.size();
    unknown.resize(std::min(n, kMaxNamed));
    notes.push_back("config.json has fields that are unknown and were ignored: " + joined(unknown) +
                    (n > kMaxNamed ? " and " + std::to_string(n - kMaxNamed) + " more" : ""));
  }

 private:
  // A factor of zero is none that is off.
  bool is_neutral(const std::string& name, const Json& value) const {
    if (value == true && name.ends_with("qk_norm")) return family_.head_norms;
    if (!value.is_number() || !has_one_of(name, kFactors)) return config_.is_off(name);
    // What products of queries and keys are multiplied by, and the number whose root divides them.
    if (name == "attention_multiplier") return is_nearly(value, 1 / std::sqrt(head_dim_));
    if (name == "query_pre_attn_scalar") return is_nearly(value, head_dim_);
    return is_nearly(value, 1);
  }

  bool asks_for_another_graph(std::string_view name) const {
    return has_one_of(name, kFactors) || has_one_of(name, kGraph) ||
           (!family_.experts && has_one_of(name, kExperts));
  }

  const FieldReader& config_;
  const HfFamily& family_;
  double head_dim_;
};

}  // namespace

void check_other_fields(const FieldReader& config, const HfFamily& family, const HfShape& shape,
                        std::vector<std::string>& notes) {
  OtherFields(config, family, shape).check(notes);
}

}  // namespace bitnet::convert
