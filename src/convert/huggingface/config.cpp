#include "convert/huggingface/config.h"

#include <algorithm>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/field_reader.h"
#include "convert/huggingface/other_fields.h"
#include "convert/huggingface/rope_scaling.h"
#include "model/config.h"
#include "model/families/family.h"

namespace bitnet::convert {
namespace {

class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::string& shown, gguf::KeyValues& keys)
      : field_(json, shown), keys_(keys) {}

  HfConfig read(bool takes_dense, std::vector<std::string>& notes);

 private:
  template <typename T>
  void put(std::string_view suffix, T value) {
    keys_.set(prefix_ + std::string(suffix), value);
  }
  void put_count(std::string_view suffix, std::uint64_t value) {
    put(suffix, static_cast<std::uint32_t>(value));
  }

  void read_family();
  void read_shape();
  void read_heads();
  void read_activation();
  void read_rope();
  void read_experts();
  void read_quantization(bool takes_dense);
  void read_not_converted(const FieldReader& quantization);
  void check_graph() const;

  FieldReader field_;
  gguf::KeyValues& keys_;
  HfConfig result_;
  std::string prefix_;
};

HfConfig ConfigReader::read(bool takes_dense, std::vector<std::string>& notes) {
  read_family();
  check_graph();
  read_shape();
  read_heads();
  check_other_fields(field_, *result_.family, result_.shape, notes);
  read_activation();
  read_rope();
  if (result_.family->experts) read_experts();
  read_quantization(takes_dense);
  return std::move(result_);
}

void ConfigReader::read_family() {
  const Json* names = field_.find("architectures");
  if (names == nullptr || !names->is_array() || names->size() != 1 || !(*names)[0].is_string()) {
    field_.refuse("architectures", "does not name one class", "this is not a language model's config.json");
  }
  const auto& name = (*names)[0].get_ref<const std::string&>();
  result_.family = find_hf_family(name);
  if (result_.family == nullptr) {
    field_.refuse("architectures", "'" + printable(name, kMaxPrintedName) + "' is not supported",
                  "folders of " + hf_family_names() + " can be converted");
  }
  keys_.set("general.architecture", result_.family->architecture);
  prefix_ = std::string(result_.family->architecture) + ".";
}

// What makes another graph of the same tensors in some families, and not in others.
void ConfigReader::check_graph() const {
  field_.check_off("use_sliding_window");
  const bool experts = result_.family->experts;
  if (!experts) {
    for (const char* field : {"num_experts", "num_local_experts", "n_routed_experts"})
      field_.check_off(field);
    // A window that use_sliding_window switches off is named all the same.
    if (!field_.has("use_sliding_window")) field_.check_off("sliding_window");
    if (const Json* types = field_.find("layer_types")) {
      const bool full = types->is_array() && std::ranges::all_of(*types, [](const Json& type) {
                          return type == "full_attention";
                        });
      if (!full)
        field_.refuse("layer_types", "names other layers than full_attention",
                      "this model cannot be run here");
    }
  }
}

void ConfigReader::read_shape() {
  HfShape& s = result_.shape;
  s.vocab = field_.count("vocab_size", limits::kVocab);
  s.hidden = field_.count("hidden_size", limits::kWidth);
  s.layers = field_.count("num_hidden_layers", limits::kLayers);
  s.ffn =
      field_.count(result_.family->experts ? "moe_intermediate_size" : "intermediate_size", limits::kWidth);
  s.tied = field_.flag("tie_word_embeddings", false);
  put_count("vocab_size", s.vocab);
  put_count("context_length", field_.count("max_position_embeddings", limits::kContext));
  put_count("embedding_length", s.hidden);
  put_count("block_count", s.layers);
  if (!result_.family->experts) put_count("feed_forward_length", s.ffn);
}

void ConfigReader::read_heads() {
  HfShape& s = result_.shape;
  s.heads = field_.count("num_attention_heads", limits::kHeads);
  s.kv_heads = field_.optional_count("num_key_value_heads", limits::kHeads).value_or(s.heads);
  if (s.heads % s.kv_heads != 0) {
    field_.refuse("num_key_value_heads", std::to_string(s.kv_heads) + " does not divide " +
                                             std::to_string(s.heads) + " query heads");
  }
  auto head_dim = field_.optional_count("head_dim", limits::kHeadDim);
  if (!head_dim && result_.family->head_dim != 0) head_dim = result_.family->head_dim;
  if (!head_dim && s.hidden % s.heads != 0) {
    field_.refuse("num_attention_heads",
                  std::to_string(s.heads) + " does not divide hidden_size " + std::to_string(s.hidden));
  }
  s.head_dim = head_dim.value_or(s.hidden / s.heads);
  if (s.head_dim % 2 != 0) field_.refuse("head_dim", std::to_string(s.head_dim) + " is not even");
  s.q_dim = s.heads * s.head_dim;
  s.kv_dim = s.kv_heads * s.head_dim;
  put_count("attention.head_count", s.heads);
  put_count("attention.head_count_kv", s.kv_heads);
  if (s.head_dim * s.heads != s.hidden || head_dim) {
    put_count("attention.key_length", s.head_dim);
    put_count("attention.value_length", s.head_dim);
  }
  put("attention.layer_norm_rms_epsilon", static_cast<float>(field_.number("rms_norm_eps", 1e-12, 0.5)));
}

void ConfigReader::read_activation() {
  const std::string name = field_.text("hidden_act");
  const bool silu = name == "silu" || name == "swish";
  if (name.empty()) field_.refuse("hidden_act", "missing", "config.json is incomplete: download it again");
  if (!silu && !(name == "relu2" && result_.family->sub_norms)) {
    field_.refuse("hidden_act",
                  "'" + printable(name, kMaxPrintedName) + "' is not implemented for this architecture",
                  "this model cannot be run here");
  }
  for (const char* other : {"hidden_activation", "activation_function", "mlp_hidden_act"}) {
    if (const std::string text = field_.text(other); !text.empty() && text != name) {
      field_.refuse(other, "'" + printable(text, kMaxPrintedName) + "', but hidden_act is '" + name + "'",
                    "config.json contradicts itself: leave the right one");
    }
  }
  // Elsewhere the architecture says it all.
  if (result_.family->sub_norms) put("hidden_activation", std::string_view(silu ? "silu" : "relu2"));
}

void ConfigReader::read_rope() {
  constexpr double kMaxTheta = 1e12;
  const HfShape& s = result_.shape;
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    for (const char* kind : {"full_attention", "sliding_attention"}) {
      if (const auto object = field_.object(name); object && object->has(kind)) {
        object->refuse(kind, "positions that differ from layer to layer are not implemented");
      }
    }
  }
  const auto scaling = find_rope_scaling(field_);
  const auto original = find_rope_number(field_, "original_max_position_embeddings", 1, 1e9);
  auto theta = find_rope_number(field_, "rope_theta", 1, kMaxTheta);
  if (!theta && result_.family->rope_theta != 0) theta = result_.family->rope_theta;
  if (!theta) field_.refuse("rope_theta", "missing", "config.json is incomplete: download it again");
  put("rope.freq_base", static_cast<float>(*theta));
  const double part = find_rope_number(field_, "partial_rotary_factor", 0, 1).value_or(1);
  if (part != 1 && !result_.family->experts) {
    field_.refuse("partial_rotary_factor",
                  "rotating a part of a head is not implemented for this architecture");
  }
  const auto rotated = static_cast<std::uint64_t>(static_cast<double>(s.head_dim) * part);
  if (rotated == 0 || rotated % 2 != 0) {
    field_.refuse("partial_rotary_factor", "rotates " + std::to_string(rotated) + " values of a head");
  }
  put_count("rope.dimension_count", rotated);
  if (!scaling) return;
  const HfRope rope{.head_dim = rotated,
                    .context_length = field_.count("max_position_embeddings", limits::kContext),
                    .original_context = original,
                    .theta = *theta,
                    .takes_factors = find_family(result_.family->architecture)->rope_factors};
  result_.rope_factors = put_rope_scaling(*scaling, rope, prefix_, keys_);
}

// Facts from conversion/maple.py of llama.cpp, which published files come from.
void ConfigReader::read_experts() {
  HfShape& s = result_.shape;
  s.experts = field_.count("num_experts", limits::kExperts);
  put_count("expert_count", s.experts);
  put_count("expert_used_count", field_.count("num_experts_per_tok", s.experts));
  put_count("expert_feed_forward_length", s.ffn);
  if (!field_.flag("norm_topk_prob", true)) {
    field_.refuse("norm_topk_prob", "weights that do not add up to 1 are not implemented");
  }
  if (!field_.flag("nope_on_global_attention", false)) {
    field_.refuse("nope_on_global_attention", "positions in layers of full attention are not implemented");
  }
  put_count("attention.sliding_window", field_.count("sliding_window", std::uint64_t{1} << 30));
  const Json* types = field_.find("layer_types");
  if (types == nullptr || !types->is_array() || types->size() != s.layers) {
    field_.refuse("layer_types", "does not name each of the " + std::to_string(s.layers) + " layers");
  }
  std::vector<std::uint8_t> sliding;
  for (const Json& type : *types) {
    if (type != "sliding_attention" && type != "full_attention") {
      field_.refuse("layer_types", "names other layers than sliding_attention and full_attention");
    }
    sliding.push_back(type == "sliding_attention" ? 1 : 0);
  }
  static_assert(sizeof(bool) == 1);
  keys_.set_array(prefix_ + "attention.sliding_window_pattern",
                  std::span(reinterpret_cast<const bool*>(sliding.data()), sliding.size()));
  constexpr float kClamp = 7;  // of the published code, and of files without the key
  const std::vector<float> clamps(s.layers, kClamp);
  keys_.set_array(prefix_ + "swiglu_clamp_exp", std::span<const float>(clamps));
}

void ConfigReader::read_quantization(bool takes_dense) {
  const HfFamily& family = *result_.family;
  for (const char* name : {"quantization_config", "quantization"}) {
    const auto object = field_.object(name);
    if (!object || object->has("quant_method") || !object->has("group_size") || !object->has("bits"))
      continue;
    object->refuse("bits", "are those of MLX, whose packing is not read here",
                   "take the model's GGUF file, or the folder of its unpacked weights");
  }
  const auto quantization = field_.object("quantization_config");
  if (!quantization) {
    if (family.always_ternary && !family.always_masters && !takes_dense) {
      field_.refuse("quantization_config",
                    "missing: this is a BitNet model with dense weights, merged or fine-tuned",
                    "if its layers are to be rounded to ternary ones, --quantize absmean does it");
    }
    result_.weights = family.always_masters ? HfWeights::masters : HfWeights::floats;
    return;
  }
  if (family.experts) field_.refuse("quantization_config", "is not implemented for this architecture");
  const std::string method = quantization->text("quant_method");
  if (method != "bitnet") {
    quantization->refuse("quant_method", "'" + printable(method, kMaxPrintedName) + "' is not supported",
                         "bitnet is; convert the model that it was made from");
  }
  if (quantization->flag("use_rms_norm", false)) {
    quantization->refuse("use_rms_norm", "norms inside of the linear layers are not implemented",
                         "this model cannot be run here");
  }
  const std::string kind =
      quantization->has("linear_class") ? quantization->text("linear_class") : "bitlinear";
  const std::string mode =
      quantization->has("quantization_mode") ? quantization->text("quantization_mode") : "offline";
  if (kind != "bitlinear" && kind != "autobitlinear") {
    quantization->refuse("linear_class", "'" + printable(kind, kMaxPrintedName) + "' is unknown",
                         "bitlinear and autobitlinear are known");
  }
  if (mode != "offline" && mode != "online") {
    quantization->refuse("quantization_mode", "'" + printable(mode, kMaxPrintedName) + "' is unknown",
                         "offline and online are known");
  }
  result_.weights = mode == "online"      ? HfWeights::masters
                    : kind == "bitlinear" ? HfWeights::divided
                                          : HfWeights::multiplied;
  read_not_converted(*quantization);
}

void ConfigReader::read_not_converted(const FieldReader& quantization) {
  const Json* modules = quantization.find("modules_to_not_convert");
  if (modules == nullptr) return;
  if (!modules->is_array()) quantization.refuse("modules_to_not_convert", "is no list of names");
  for (const Json& module : *modules) {
    if (!module.is_string() || module.get_ref<const std::string&>().empty()) {
      quantization.refuse("modules_to_not_convert", "is no list of names");
    }
    result_.not_converted.push_back(module.get<std::string>());
  }
}

}  // namespace

// As transformers does it: a name in the list stands for every module whose own name has it as a part.
bool HfConfig::is_converted(std::string_view module) const {
  return std::ranges::none_of(
      not_converted, [&](const std::string& part) { return module.find(part) != std::string_view::npos; });
}

HfConfig read_hf_config(const Json& json, const std::string& shown, bool takes_dense, gguf::KeyValues& keys,
                        std::vector<std::string>& notes) {
  return ConfigReader(json, shown, keys).read(takes_dense, notes);
}

}  // namespace bitnet::convert
