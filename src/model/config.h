// What a model file's metadata says about the transformer's shape, checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "model/rope.h"

namespace bitnet {

struct Family;

// The most that is taken of anything: far above any real model, they keep later products and position
// arithmetic from overflowing.
namespace limits {
inline constexpr std::uint64_t kLayers = 4096;
inline constexpr std::uint64_t kWidth = 1U << 18;
inline constexpr std::uint64_t kHeads = 4096;
inline constexpr std::uint64_t kHeadDim = 4096;
inline constexpr std::uint64_t kVocab = 1U << 24;
inline constexpr std::uint64_t kContext = 1U << 20;
inline constexpr std::uint64_t kExperts = 4096;
}  // namespace limits

// What the feed-forward network does with its gate.
enum class GateActivation { relu_squared, silu };

struct Config {
  const Family* family = nullptr;  // never nullptr once read
  std::string architecture;        // general.architecture
  std::size_t n_layers = 0;
  std::size_t hidden = 0;      // width of the residual stream
  std::size_t n_heads = 0;     // query heads
  std::size_t n_kv_heads = 0;  // key/value heads; query head i reads kv head i / (n_heads / n_kv_heads)
  std::size_t head_dim = 0;
  std::size_t ffn = 0;  // width inside the feed-forward network
  std::size_t vocab = 0;
  std::size_t context_length = 0;  // tokens the model was made for
  Rope rope;
  float rms_eps = 0;
  GateActivation gate_activation = GateActivation::silu;
  float embedding_scale = 1;  // multiplies rows of the embedding where a token is looked up,
  float residual_scale = 1;   // what attention and the feed-forward network add to the residual stream,
  float logit_scale = 1;      // and the logits
  bool sub_norms = false;     // RMSNorm before the output projections of attention and feed-forward network
  std::size_t n_experts = 0;  // feed-forward networks of width ffn to choose from; 0: one for all tokens
  std::size_t n_experts_used = 0;  // by each token
  float swiglu_clamp = 0;          // gate <= clamp, |up| <= clamp before the activation; 0: as they are
  std::size_t window = 0;          // keys that a token sees in a sliding layer, its own included
  std::vector<bool> sliding;       // [n_layers], or empty: none is; where some are, only they are rotated

  std::size_t q_dim() const { return n_heads * head_dim; }
  std::size_t kv_dim() const { return n_kv_heads * head_dim; }
  bool is_rotated(std::size_t layer) const { return sliding.empty() || sliding[layer]; }
  // The most keys that a token sees in a layer, its own and those just before it; 0: all.
  std::size_t window_of(std::size_t layer) const { return !sliding.empty() && sliding[layer] ? window : 0; }
};

// Throws ModelError naming the key for an unknown architecture, a missing or senseless value, or a key that
// asks for a graph that is not implemented. Keys that are merely unknown are named in `notes`.
Config read_config(const gguf::File& file, std::vector<std::string>& notes);

}  // namespace bitnet
