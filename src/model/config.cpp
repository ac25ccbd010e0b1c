#include "model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/printable.h"
#include "bitnet/error.h"
#include "model/custom_layout.h"
#include "model/families/family.h"
#include "model/key_reader.h"

namespace bitnet {
namespace {

// Keys under the architecture's prefix that are read for every family, or have no bearing on any graph.
constexpr std::array<std::string_view, 14> kSharedKeys{
    "vocab_size", "context_length", "embedding_length", "block_count", "feed_forward_length",
    "hidden_activation", "attention.head_count", "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon", "attention.key_length", "attention.value_length", "attention.causal",
    "attention.scale",
    // of norms that subtract the mean
    "attention.layer_norm_epsilon"};

// Parts of keys (anywhere in the file) that stand for a change of basis before the product; ignoring one
// gives noise.
constexpr std::array<std::string_view, 2> kRotationKeys{"hadamard", "rotation"};

// What keys under the architecture's prefix begin with that ask for another attention or other positions ...
constexpr std::array<std::string_view, 2> kGraphPrefixes{"attention.", "rope."};
// ... and parts of keys there that ask for another graph in other ways.
constexpr std::array<std::string_view, 32> kGraphKeys{"expert",
                                                      "moe",
                                                      "sliding_window",
                                                      "clamp",
                                                      "scal",
                                                      "multiplier",
                                                      "softcap",
                                                      "alibi",
                                                      "ssm",
                                                      "kda",
                                                      "wkv",
                                                      "time_mix",
                                                      "time_decay",
                                                      "token_shift",
                                                      "shortconv",
                                                      "convnext",
                                                      "posnet",
                                                      "lora",
                                                      "full_attention_interval",
                                                      "layer_types",
                                                      "hash_layer",
                                                      "nextn",
                                                      "leading_dense",
                                                      "parallel_residual",
                                                      "norm_before_residual",
                                                      "deepstack",
                                                      "altup",
                                                      "per_layer",
                                                      "shared_kv",
                                                      "decoder_block_count",
                                                      "hyper_connection",
                                                      "swin_norm"};

// Of factors, those whose 1 changes nothing; what attention scales its products by is compared later.
constexpr std::array<std::string_view, 9> kPlainFactors{
    "logit_scale",           "residual_scale",       "embedding_scale",    "attention.output_scale",
    "attention.value_scale", "expert_weights_scale", "expert_group_scale", "rope.scaling.alpha",
    "scale_multiplier"};

// Unknown keys that are noted by name; a file can have any number of them.
constexpr std::size_t kMaxNotedKeys = 8;

bool is_one_of(std::string_view key, std::span<const std::string_view> keys) {
  return std::ranges::find(keys, key) != keys.end();
}

bool contains_any(std::string_view text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts,
                             [&](std::string_view p) { return text.find(p) != std::string_view::npos; });
}

bool asks_for_another_graph(std::string_view suffix) {
  return contains_any(suffix, kGraphKeys) ||
         std::ranges::any_of(kGraphPrefixes, [&](std::string_view p) { return suffix.starts_with(p); });
}

const Family& find_family_of(const gguf::File& file) {
  constexpr std::string_view kKey = "general.architecture";
  const KeyReader read(file, "");
  const auto name = read.text(kKey);
  if (!name) read.refuse(kKey, "missing", "this is not a language model's file");
  if (const Family* family = find_family(*name)) return *family;
  read.refuse(kKey, "'" + printable(*name, kMaxPrintedName) + "' is not supported",
              "this program runs " + architecture_names());
}

// Every key is known, without bearing, or refused.
void check_keys(const KeyReader& read, const Family& family, std::vector<std::string>& notes) {
  const gguf::File& file = read.file();
  std::size_t n_unknown = 0;
  for (std::size_t i = 0; i < file.n_keys(); ++i) {
    const std::string_view key = file.key(i);
    if (contains_any(key, kRotationKeys)) {
      read.refuse_key(key, "the weights are rotated, which is not supported", "use a file without rotations");
    }
    if (!key.starts_with(read.prefix()) || is_custom_layout_key(key)) continue;
    const std::string_view suffix = key.substr(read.prefix().size());
    if (is_one_of(suffix, kSharedKeys) || is_one_of(suffix, rope_keys()) ||
        is_one_of(suffix, family.own_keys)) {
      continue;
    }
    if (asks_for_another_graph(suffix)) {
      if (read.is_off(suffix) || (is_one_of(suffix, kPlainFactors) && read.is_one(suffix))) continue;
      read.refuse(suffix, "asks for a computation that is not implemented", "this model cannot be run here");
    }
    if (++n_unknown > kMaxNotedKeys) continue;
    notes.push_back("key " + printable(key, kMaxPrintedName) + " is unknown and was ignored");
  }
  if (n_unknown > kMaxNotedKeys) {
    notes.push_back(std::to_string(n_unknown - kMaxNotedKeys) + " more unknown keys were ignored");
  }
  if (!read.flag("attention.causal").value_or(true)) {
    read.refuse("attention.causal", "attention to later tokens is not implemented");
  }
}

// By a key of its own, or the heads' share of the hidden state.
std::size_t read_head_dim(const KeyReader& read, const Config& c) {
  const auto length = read.optional_count("attention.key_length", limits::kHeadDim);
  const std::string_view key = length ? "attention.key_length" : "attention.head_count";
  if (!length && c.hidden % c.n_heads != 0) {
    read.refuse(key,
                std::to_string(c.n_heads) + " does not divide embedding_length " + std::to_string(c.hidden));
  }
  const std::size_t head_dim = length.value_or(c.hidden / c.n_heads);
  if (head_dim > limits::kHeadDim || head_dim % 2 != 0) {
    read.refuse(key, "gives heads of " + std::to_string(head_dim) + " values, not an even number up to " +
                         std::to_string(limits::kHeadDim));
  }
  return head_dim;
}

void read_attention(const KeyReader& read, const Family& family, Config& c, std::vector<std::string>& notes) {
  c.n_heads = read.count("attention.head_count", limits::kHeads);
  c.n_kv_heads = read.optional_count("attention.head_count_kv", limits::kHeads).value_or(c.n_heads);
  if (c.n_heads % c.n_kv_heads != 0) {
    read.refuse("attention.head_count_kv", std::to_string(c.n_kv_heads) + " does not divide " +
                                               std::to_string(c.n_heads) + " query heads");
  }
  c.head_dim = read_head_dim(read, c);
  if (read.optional_count("attention.value_length", limits::kHeadDim).value_or(c.head_dim) != c.head_dim) {
    read.refuse("attention.value_length", "differs from the keys' length, which is not implemented");
  }
  // Of 0 it is not set.
  const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  if (const double asked = read.number("attention.scale").value_or(0);
      asked != 0 && !(std::fabs(asked / scale - 1) < 1e-4)) {
    read.refuse("attention.scale",
                digits_of(asked) + " asks for a computation that is not implemented: " + digits_of(scale) +
                    " is that of heads of " + std::to_string(c.head_dim),
                "this model cannot be run here");
  }
  c.rope = read_rope(read, c.head_dim, c.context_length, family.long_rope_factors, notes);
  c.rope.layout = family.rope_layout;
  if (c.rope.n_rotated != c.head_dim && !family.part_rotated) {
    read.refuse("rope.dimension_count", std::to_string(c.rope.n_rotated) + " rotates a part of heads of " +
                                            std::to_string(c.head_dim) +
                                            " only, which is not implemented for this architecture");
  }
}

// The size of the vocabulary.
std::size_t read_vocab(const KeyReader& read) {
  constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
  const auto tokens = read.file().get_strings(kTokens);
  if (!tokens) read.refuse_key(kTokens, "missing", "the file has no vocabulary");
  const std::size_t n = tokens->size();
  if (n == 0 || n > limits::kVocab)
    read.refuse_key(kTokens, "a vocabulary of " + std::to_string(n) + " tokens");
  if (const auto vocab = read.optional_count("vocab_size", limits::kVocab); vocab && *vocab != n) {
    read.refuse("vocab_size",
                std::to_string(*vocab) + ", but tokenizer.ggml.tokens holds " + std::to_string(n));
  }
  return n;
}

}  // namespace

Config read_config(const gguf::File& file, std::vector<std::string>& notes) {
  const Family& family = find_family_of(file);
  const KeyReader read(file, std::string(family.architecture) + ".");
  check_keys(read, family, notes);

  Config c;
  c.family = &family;
  c.architecture = family.architecture;
  c.gate_activation = family.gate_activation;
  c.sub_norms = family.sub_norms;
  c.n_layers = read.count("block_count", limits::kLayers);
  read.check_arrays(c.n_layers);
  c.hidden = read.count("embedding_length", limits::kWidth);
  if (!family.mixture) c.ffn = read.count("feed_forward_length", limits::kWidth);
  c.context_length = read.count("context_length", limits::kContext);
  read_attention(read, family, c, notes);
  constexpr std::string_view kEpsilon = "attention.layer_norm_rms_epsilon";
  if (!read.has(kEpsilon)) read.refuse(kEpsilon, "missing", "the file is incomplete");
  c.rms_eps = static_cast<float>(read.number_between(kEpsilon, 0, 0.5, 0));
  c.vocab = read_vocab(read);
  if (family.read_keys != nullptr) family.read_keys(read, c);
  return c;
}

}  // namespace bitnet
