#include "model/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

struct Architecture {
  std::string_view name;
  RopeLayout rope_layout;
  GateActivation gate_activation;
  bool sub_norms;
};

constexpr std::array kArchitectures{
    Architecture{"bitnet-b1.58", RopeLayout::neox, GateActivation::relu_squared, true},
    Architecture{"bitnet-25", RopeLayout::neox, GateActivation::relu_squared, true},
    Architecture{"bitnet", RopeLayout::neox, GateActivation::silu, true},
    Architecture{"llama", RopeLayout::norm, GateActivation::silu, false},
};

// Far above any real model; they keep later products and position arithmetic from overflowing.
constexpr std::uint64_t kMaxLayers = 4096;
constexpr std::uint64_t kMaxWidth = 1U << 18;
constexpr std::uint64_t kMaxHeads = 4096;
constexpr std::uint64_t kMaxHeadDim = 4096;
constexpr std::uint64_t kMaxVocab = 1U << 24;
constexpr std::uint64_t kMaxContext = 1U << 20;

[[noreturn]] void refuse_key(const gguf::File& file, std::string_view key, std::string_view what,
                             std::string_view hint) {
  throw ModelError(printable(file.name(), kMaxPrintedPath),
                   "key " + printable(key, kMaxPrintedName) + ": " + std::string(what), hint);
}

// Keys under the architecture's prefix that may hold an array, with a value for each layer.
constexpr std::array<std::string_view, 8> kPerLayerKeys{
    "feed_forward_length",  "attention.head_count",   "attention.head_count_kv",
    "attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon",
    "rope.dimension_count", "rope.freq_base"};

class Reader {
 public:
  Reader(const gguf::File& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(std::string_view key, std::string_view what, std::string_view hint = {}) const {
    refuse_key(file_, key, what, hint);
  }

  std::string key(std::string_view suffix) const { return prefix_ + std::string(suffix); }

  std::optional<std::size_t> optional_count(std::string_view suffix, std::uint64_t max) const {
    if (const auto array = array_at(suffix, gguf::is_integer)) {
      const std::int64_t v = array->int_at(0);
      if (v < 1 || std::cmp_greater(v, max)) {
        refuse(key(suffix), std::to_string(v) + " is not between 1 and " + std::to_string(max));
      }
      return static_cast<std::size_t>(v);
    }
    const std::optional<std::uint64_t> v = file_.get_uint(key(suffix));
    if (v && (*v == 0 || *v > max))
      refuse(key(suffix), std::to_string(*v) + " is not between 1 and " + std::to_string(max));
    return v;
  }
  std::size_t count(std::string_view suffix, std::uint64_t max) const {
    if (const auto v = optional_count(suffix, max)) return *v;
    refuse(key(suffix), "missing", "the file is incomplete: convert or download it again");
  }
  std::optional<double> number(std::string_view suffix) const {
    if (const auto array = array_at(suffix, gguf::is_number)) return array->at(0);
    return file_.get_number(key(suffix));
  }

  // Arrays must have a value for each layer; that they are all the same is seen when they are read.
  void check_arrays(std::size_t n_layers) const {
    for (const std::string_view suffix : kPerLayerKeys) {
      const auto array = array_at(suffix, gguf::is_number);
      if (array && array->size() != n_layers) {
        refuse(key(suffix),
               "an array of " + std::to_string(array->size()) + " values for " + std::to_string(n_layers) +
                   " layers",
               "the file contradicts itself: convert or download it again");
      }
    }
  }

 private:
  // The array that stands for a value, if it is one of its kind: not empty, all elements the same.
  std::optional<gguf::NumberArray> array_at(std::string_view suffix, bool (*is_kind)(gguf::ValueType)) const {
    if (std::ranges::find(kPerLayerKeys, suffix) == kPerLayerKeys.end()) return std::nullopt;
    const auto value = file_.find(key(suffix));
    const auto array = value ? value->as_numbers() : std::nullopt;
    if (!array || !is_kind(array->element_type())) return std::nullopt;
    if (array->empty()) refuse(key(suffix), "an array without values", "convert the model again");
    for (std::size_t i = 1; i < array->size(); ++i) {
      if (array->at(i) == array->at(0)) continue;
      refuse(key(suffix),
             digits_of(array->at(0)) + " in layer 0 and " + digits_of(array->at(i)) + " in layer " +
                 std::to_string(i) + ": layers that differ are not implemented",
             "this model cannot be run here");
    }
    return array;
  }
  static std::string digits_of(double value) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
  }

  const gguf::File& file_;
  std::string prefix_;
};

const Architecture& find_architecture(const gguf::File& file) {
  const auto name = file.get_string("general.architecture");
  constexpr std::string_view kKey = "general.architecture";
  if (!name) refuse_key(file, kKey, "missing", "this is not a language model's file");
  for (const Architecture& a : kArchitectures) {
    if (a.name == *name) return a;
  }
  refuse_key(file, kKey, "'" + printable(*name, kMaxPrintedName) + "' is not supported",
             "this program runs " + architecture_names());
}

// Keys under the architecture's prefix that are read here or have no bearing on the graph.
constexpr std::array<std::string_view, 19> kKnownKeys{"vocab_size",
                                                      "context_length",
                                                      "embedding_length",
                                                      "block_count",
                                                      "feed_forward_length",
                                                      "rope.dimension_count",
                                                      "rope.freq_base",
                                                      "attention.head_count",
                                                      "attention.head_count_kv",
                                                      "attention.layer_norm_rms_epsilon",
                                                      "attention.key_length",
                                                      "attention.value_length",
                                                      "attention.causal",
                                                      "rope.scaling.type",
                                                      "rope.scaling.factor",
                                                      "rope.scaling.attn_factor",
                                                      "rope.scale_linear",
                                                      "rope.scaling.original_context_length",
                                                      "rope.scaling.finetuned"};

// Parts of keys (anywhere in the file) that stand for a change of basis before the product; ignoring one
// gives noise.
constexpr std::array<std::string_view, 2> kRotationKeys{"hadamard", "rotation"};

// Parts of keys under the architecture's prefix that ask for another graph than the one implemented.
constexpr std::array<std::string_view, 10> kGraphKeys{
    "expert",         "sliding_window",  "clamp",   "attention.scale", "logit_scale",
    "residual_scale", "embedding_scale", "softcap", "alibi",           "ssm"};

// Unknown keys that are noted by name; a file can have any number of them.
constexpr std::size_t kMaxNotedKeys = 8;

bool contains_any(std::string_view text, std::span<const std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view p) { return text.find(p) != std::string_view::npos; });
}

// A zero or false says that the feature is off.
bool is_off(const gguf::File& file, std::string_view key) {
  switch (file.find(key)->type()) {
    case gguf::ValueType::boolean:
      return !*file.get_bool(key);
    case gguf::ValueType::string:
      return false;
    case gguf::ValueType::array:  // of a value for each layer, say
      return file.find(key)->has_only_zeros();
    default:
      return *file.get_number(key) == 0;
  }
}

void check_keys(const gguf::File& file, const Reader& read, const std::string& prefix,
                std::vector<std::string>& notes) {
  std::size_t n_unknown = 0;
  for (std::size_t i = 0; i < file.n_keys(); ++i) {
    const std::string_view key = file.key(i);
    if (contains_any(key, kRotationKeys)) {
      read.refuse(key, "the weights are rotated, which is not supported", "use a file without rotations");
    }
    if (!key.starts_with(prefix)) continue;
    const std::string_view suffix = key.substr(prefix.size());
    if (std::find(kKnownKeys.begin(), kKnownKeys.end(), suffix) != kKnownKeys.end()) continue;
    if (contains_any(suffix, kGraphKeys)) {
      if (is_off(file, key)) continue;
      read.refuse(key, "asks for a computation that is not implemented", "this model cannot be run here");
    }
    if (++n_unknown > kMaxNotedKeys) continue;
    notes.push_back("key " + printable(key, kMaxPrintedName) + " is unknown and was ignored");
  }
  if (n_unknown > kMaxNotedKeys) {
    notes.push_back(std::to_string(n_unknown - kMaxNotedKeys) + " more unknown keys were ignored");
  }
  if (const auto type = file.get_string(read.key("rope.scaling.type"));
      type && *type != "none" && *type != "linear") {
    read.refuse(read.key("rope.scaling.type"),
                "'" + printable(*type, kMaxPrintedName) + "' is not implemented");
  }
  for (const std::string_view factor :
       {"rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor"}) {
    if (read.number(factor).value_or(1.0) != 1.0)
      read.refuse(read.key(factor), "scaled rope is not implemented");
  }
  if (const auto causal = file.get_bool(read.key("attention.causal")); causal && !*causal) {
    read.refuse(read.key("attention.causal"), "attention to later tokens is not implemented");
  }
}

// By a key of its own, or the heads' share of the hidden state.
std::size_t read_head_dim(const Reader& read, const Config& c) {
  const auto length = read.optional_count("attention.key_length", kMaxHeadDim);
  const std::string key = read.key(length ? "attention.key_length" : "attention.head_count");
  if (!length && c.hidden % c.n_heads != 0) {
    read.refuse(key,
                std::to_string(c.n_heads) + " does not divide embedding_length " + std::to_string(c.hidden));
  }
  const std::size_t head_dim = length.value_or(c.hidden / c.n_heads);
  if (head_dim > kMaxHeadDim || head_dim % 2 != 0) {
    read.refuse(key, "gives heads of " + std::to_string(head_dim) + " values, not an even number up to " +
                         std::to_string(kMaxHeadDim));
  }
  return head_dim;
}

}  // namespace

std::string architecture_names() {
  std::string names;
  for (const Architecture& a : kArchitectures) names.append(names.empty() ? "" : ", ").append(a.name);
  return names;
}

Config read_config(const gguf::File& file, std::vector<std::string>& notes) {
  const Architecture& architecture = find_architecture(file);
  const std::string prefix = std::string(architecture.name) + ".";
  const Reader read(file, prefix);
  check_keys(file, read, prefix, notes);

  Config c;
  c.architecture = architecture.name;
  c.rope_layout = architecture.rope_layout;
  c.gate_activation = architecture.gate_activation;
  c.sub_norms = architecture.sub_norms;
  c.n_layers = read.count("block_count", kMaxLayers);
  read.check_arrays(c.n_layers);
  c.hidden = read.count("embedding_length", kMaxWidth);
  c.ffn = read.count("feed_forward_length", kMaxWidth);
  c.context_length = read.count("context_length", kMaxContext);
  c.n_heads = read.count("attention.head_count", kMaxHeads);
  c.n_kv_heads = read.optional_count("attention.head_count_kv", kMaxHeads).value_or(c.n_heads);
  if (c.n_heads % c.n_kv_heads != 0) {
    read.refuse(read.key("attention.head_count_kv"), std::to_string(c.n_kv_heads) + " does not divide " +
                                                         std::to_string(c.n_heads) + " query heads");
  }
  c.head_dim = read_head_dim(read, c);
  if (read.optional_count("attention.value_length", kMaxHeadDim).value_or(c.head_dim) != c.head_dim) {
    read.refuse(read.key("attention.value_length"),
                "differs from the keys' length, which is not implemented");
  }
  if (read.optional_count("rope.dimension_count", kMaxHeadDim).value_or(c.head_dim) != c.head_dim) {
    read.refuse(read.key("rope.dimension_count"),
                "rotates a part of the head only, which is not implemented");
  }
  c.rope_theta = read.number("rope.freq_base").value_or(10000.0);
  if (!(c.rope_theta >= 1.0 && c.rope_theta <= 1e12))
    read.refuse(read.key("rope.freq_base"), "not between 1 and 1e12");
  const auto eps = read.number("attention.layer_norm_rms_epsilon");
  if (!eps) read.refuse(read.key("attention.layer_norm_rms_epsilon"), "missing", "the file is incomplete");
  if (!(*eps >= 0.0 && *eps < 1.0))
    read.refuse(read.key("attention.layer_norm_rms_epsilon"), "not between 0 and 1");
  c.rms_eps = static_cast<float>(*eps);

  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!tokens) read.refuse("tokenizer.ggml.tokens", "missing", "the file has no vocabulary");
  c.vocab = tokens->size();
  if (c.vocab == 0 || c.vocab > kMaxVocab)
    read.refuse("tokenizer.ggml.tokens", "a vocabulary of " + std::to_string(c.vocab) + " tokens");
  if (const auto vocab = read.optional_count("vocab_size", kMaxVocab); vocab && *vocab != c.vocab) {
    read.refuse(read.key("vocab_size"),
                std::to_string(*vocab) + ", but tokenizer.ggml.tokens holds " + std::to_string(c.vocab));
  }
  return c;
}

}  // namespace bitnet
