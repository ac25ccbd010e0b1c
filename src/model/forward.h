// The transformer, step by step as the model families' papers draw it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "bitnet/types.h"
#include "kernels/kernels.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/linear.h"
#include "model/profile.h"
#include "model/rare_rows.h"
#include "model/sparse_feed_forward.h"
#include "model/weights.h"

namespace bitnet {

// Sees named intermediates as they are computed. Of the model: "inp_embd" and "result_norm" (layer is then
// meaningless). Of a layer, in this order: "attn_norm", "q", "k", "v" as the products give them,
// "q_rope", "k_rope" after their own norms and rotation,
// "attn_mix" (what attention gives), "attn_sub_norm", "attn_output" (the product), "attn_out" (the residual
// stream after attention), "ffn_norm", "ffn_gate", "ffn_up", "ffn_act" (activation(gate) * up),
// "ffn_sub_norm", "ffn_down" (the product) and "l_out" (the residual stream after the layer).
// With experts, "ffn_router" (its logits) and "ffn_down" (their sum) are all between "ffn_norm" and "l_out".
// data: [n_tokens, width]
using Observer = std::function<void(std::string_view name, std::size_t layer, const float* data,
                                    std::size_t n_tokens, std::size_t width)>;

// Tokens of a pass that follow one another in one sequence.
struct PassPart {
  std::size_t n_tokens = 0;
  std::size_t first_position = 0;
  // The cache's blocks that hold the sequence: position p is in block blocks[p / kernels::kKeyBlock].
  // nullptr: they are in order.
  const std::uint32_t* blocks = nullptr;
};

// What one pass works with. Everything is the caller's.
struct Forward {
  const Config& config;
  const Weights& weights;
  const kernels::Kernels& kernels;
  ThreadPool& pool;
  KvCache& cache;
  Activations& act;
  const Observer& observer;  // may be empty
  ActivationType activations = ActivationType::int8;
  Profile* profile = nullptr;  // nullptr: no time is taken
  // How rows of the embedding are read, and what is told that the head was; nullptr: they are there.
  const RareRows* embedding_rows = nullptr;
  const RareRows* head_rows = nullptr;
  SparseFeedForward* sparse = nullptr;  // nullptr: nothing is left out

  // Runs tokens.size() (1 to act.max_tokens) tokens, those of all parts one after the other, through all
  // layers. Earlier positions of their sequences come from the cache, these are added to it. Ids are inside
  // the vocabulary, blocks inside the cache. The result stays in act.residual, a row for each token; no row
  // depends on what else is in the pass.
  void run(std::span<const TokenId> tokens, std::size_t first_position) const {
    run(tokens, first_position, [](std::size_t) { return true; });
  }
  // The same, asking after each layer but the last, with the number of layers that are done, whether to go
  // on. False when it was told not to: then there is no result.
  using LayerHook = FunctionRef<bool(std::size_t n_layers)>;
  bool run(std::span<const TokenId> tokens, std::size_t first_position, LayerHook go_on) const {
    const PassPart all{.n_tokens = tokens.size(), .first_position = first_position};
    return run(tokens, std::span(&all, 1), go_on);
  }
  bool run(std::span<const TokenId> tokens, std::span<const PassPart> parts, LayerHook go_on) const;

  // The input of the head for n tokens of the last run, from the `first`th on: normalized, [n, hidden], in
  // act.normed.
  const float* head_input(std::size_t first, std::size_t n) const;

  // Logits of n (up to Activations::kHeadTokens) tokens of the last run, from the `first`th on, to
  // act.logits.
  void logits(std::size_t first, std::size_t n) const;

  // The same for rows anywhere, in ascending order: what is in act.normed and act.logits is of the first, the
  // second, ...
  const float* head_input(std::span<const std::uint32_t> rows) const;
  void logits(std::span<const std::uint32_t> rows) const;

 private:
  // [first, first + n)
  struct Share {
    std::size_t first;
    std::size_t n;
  };

  // Where a thread puts the rows that it norms, `first` and others. Floats that nothing reads afterwards go
  // to the first one's place, one after the other: they stay in the cache, and memory is not touched for
  // them.
  struct NormedRows {
    const ProductInput& to;
    InputForm form;
    std::size_t first;
  };

  void embed(std::span<const TokenId> tokens) const;
  std::size_t place(std::span<const PassPart> parts, std::size_t n_tokens) const;
  void compute_rotations(std::size_t n_tokens) const;
  void attention_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens,
                       std::size_t n_pieces) const;
  void rotate_and_cache(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const;
  void attend(std::size_t layer, std::size_t n_tokens, std::size_t n_pieces) const;
  void attend_to(std::size_t layer, const AttentionPiece& piece, Share kv_heads, Share queries) const;
  std::size_t heads_apart(std::size_t n_tokens, std::size_t n_pieces) const;
  std::size_t tokens_together(std::size_t n_tokens) const;
  void feed_forward_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const;
  bool leaves_out_zeros(std::size_t n_tokens) const;
  void activate_and_norm(const LayerWeights& w, std::size_t n_rows, InputForm form) const;
  void experts_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const;
  void give_to_experts(std::size_t n_tokens, InputForm form) const;
  void add_up_experts(std::size_t n_tokens) const;
  void norm(const float* x, const float* weight, const ProductInput& out, std::size_t first_token,
            std::size_t n_tokens, InputForm form) const;
  void norm_row(const float* x, const float* weight, const NormedRows& out, std::size_t token) const;
  InputForm form_for(std::span<const Product> products) const;
  void norm_for_head(std::span<const std::uint32_t> rows, InputForm form) const;
  void product(Work work, std::span<const Product> products, const ProductInput& x, std::size_t first_token,
               std::size_t n_tokens) const;
  void add_to_residual(std::size_t n_tokens) const;
  void for_tokens(std::size_t n_tokens, ThreadPool::Body body) const;
  void observe(std::string_view name, std::size_t layer, const float* data, std::size_t n_tokens,
               std::size_t width) const {
    if (observer) observer(name, layer, data, n_tokens, width);
  }
};

}  // namespace bitnet
