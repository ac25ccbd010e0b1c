// The families of models: what each has beside the transformer that all of them are, in one file a family.
//
// Every family has these keys, tensors and steps; x is the residual stream, h a norm of it:
//
//   x  = token_embd[id]
//   per layer:
//     h  = rmsnorm(x, attn_norm)
//     x += attn_output * attention(attn_q h, attn_k h, attn_v h)       queries and keys rotated
//     h  = rmsnorm(x, ffn_norm)
//     x += ffn_down * (activation(ffn_gate h) * (ffn_up h))
//   logits = output * rmsnorm(x, output_norm)                         output: token_embd where it is missing
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "model/config.h"
#include "model/key_reader.h"
#include "model/tensor_reader.h"
#include "model/weights.h"

namespace bitnet {

struct Family {
  std::string_view architecture;  // general.architecture, and the prefix of its keys
  RopeLayout rope_layout;
  GateActivation gate_activation;
  bool sub_norms = false;          // attn_sub_norm before attn_output, ffn_sub_norm before ffn_down
  bool rope_factors = false;       // rope_freqs.weight, where the file has it
  bool long_rope_factors = false;  // rope_factors_long.weight and rope_factors_short.weight, likewise
  bool part_rotated = false;       // rope.dimension_count may be smaller than the head
  bool tied_output = true;         // output.weight may be missing
  bool mixture = false;            // of experts: read_keys sets the widths
  // Keys under the prefix that only this family knows, and what reads and checks them. Called when all that
  // every family has is in the Config.
  std::span<const std::string_view> own_keys = {};
  void (*read_keys)(const KeyReader& read, Config& c) = nullptr;
  // The tensors of a layer but attn_norm, attn_q, attn_k, attn_v, attn_output and ffn_norm. prefix: "blk.0."
  void (*read_layer)(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l);
};

// Of the table in family.cpp; nullptr for an unknown architecture.
const Family* find_family(std::string_view architecture);
// Architectures that can be run, for messages.
std::string architecture_names();

// What several families' read_layer begin with.
void read_feed_forward(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l);

extern const Family kBitnetB158;
extern const Family kBitnet25;
extern const Family kBitnet;
extern const Family kLlama;
extern const Family kQwen3;
extern const Family kMaple;
extern const Family kMiniCpm;

}  // namespace bitnet
