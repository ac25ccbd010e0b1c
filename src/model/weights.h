// Every tensor of the model under the name that the graph gives it, pointing into the file.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/rope.h"
#include "quant/tensor_type.h"

namespace bitnet {

class ThreadPool;

struct LayerWeights {
  const float* attn_norm = nullptr;      // [hidden]
  quant::Matrix attn_q;                  // [q_dim, hidden]
  quant::Matrix attn_k;                  // [kv_dim, hidden]
  quant::Matrix attn_v;                  // [kv_dim, hidden]
  const float* attn_q_norm = nullptr;    // [head_dim], of each query head; nullptr without such norms
  const float* attn_k_norm = nullptr;    // [head_dim], of each key head; nullptr without such norms
  const float* attn_sub_norm = nullptr;  // [q_dim]; nullptr without sub-norms
  quant::Matrix attn_output;             // [hidden, q_dim]
  const float* ffn_norm = nullptr;       // [hidden]
  quant::Matrix ffn_router;              // [n_experts, hidden]; without data where there are no experts
  quant::Matrix ffn_gate;                // [ffn, hidden]; of experts [n_experts * ffn, hidden], one by one
  quant::Matrix ffn_up;                  // [ffn, hidden]; of experts [n_experts * ffn, hidden]
  const float* ffn_sub_norm = nullptr;   // [ffn]; nullptr without sub-norms
  quant::Matrix ffn_down;                // [hidden, ffn]; of experts [n_experts * hidden, ffn]
};

struct Weights {
  quant::Matrix token_embd;            // [vocab, hidden]
  std::vector<LayerWeights> layers;    // [n_layers]
  const float* output_norm = nullptr;  // [hidden]
  quant::Matrix output;                // [vocab, hidden]; the embedding itself when tied
  bool tied_output = false;
  RopeTable rope;

  std::vector<std::vector<float>> converted;  // norms that the file doesn't hold as F32
  AnonymousMemory i2s_copies;                 // holds I2_S matrices that the file has in another layout
  AnonymousMemory row_scaled_copies;          // holds those whose rows have a scale each in the file
  AnonymousMemory repacked;                   // holds the matrices when they were copied out of the file
  AnonymousMemory lanes;                      // holds those of coded types, in the order of their products
};

// Calls visit with every matrix, in no particular order; the embedding comes twice where it is tied.
template <typename AnyWeights, typename Visit>
void for_each_matrix(AnyWeights& weights, Visit visit) {
  visit(weights.token_embd);
  for (auto& l : weights.layers) {
    for (auto* w : {&l.attn_q, &l.attn_k, &l.attn_v, &l.attn_output, &l.ffn_gate, &l.ffn_up, &l.ffn_down})
      visit(*w);
    if (l.ffn_router.data != nullptr) visit(l.ffn_router);
  }
  visit(weights.output);
}

// Finds every tensor of the graph in the file, checks its shape and type, and refuses what is missing or left
// over, each by name (ModelError). Ternary codes, the scales of blocks and floats are read through once, in
// parallel: a code without meaning, or a scale or value that is not finite, is refused too. `is_sound` says
// of which parts of the file it is known already that they have none of these; those are not read, and
// neither is an embedding of floats that is not the head: of its values, those that are not finite are found
// when they come out. `rare`: matrices whose pages need not stay. The file must outlive the result.
Weights read_weights(const gguf::File& file, const Config& config, const std::vector<bool>& is_sound,
                     std::span<const std::span<const std::byte>> rare, ThreadPool& pool);

}  // namespace bitnet
