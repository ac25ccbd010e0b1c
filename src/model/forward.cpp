#include "model/forward.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/portable_math.h"

namespace bitnet {
namespace {

// Of attention: so that threads that run late can leave some to the others.
constexpr std::size_t kPiecesPerThread = 4;

// gate <= limit, -limit <= up <= limit; a NaN stays one.
void clamp(float* gate, float* up, float limit, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    gate[i] = std::min(gate[i], limit);
    up[i] = std::clamp(up[i], -limit, limit);
  }
}

}  // namespace

bool Forward::run(std::span<const TokenId> tokens, std::span<const PassPart> parts, LayerHook go_on) const {
  const std::size_t n = tokens.size();
  assert(n >= 1 && n <= act.max_tokens);
  const std::size_t n_pieces = place(parts, n);
  embed(tokens);
  observe("inp_embd", 0, act.residual.data(), n, config.hidden);
  compute_rotations(n);
  for (std::size_t layer = 0; layer < config.n_layers; ++layer) {
    const LayerWeights& w = weights.layers[layer];
    attention_block(w, layer, n, n_pieces);
    observe("attn_out", layer, act.residual.data(), n, config.hidden);
    config.n_experts == 0 ? feed_forward_block(w, layer, n) : experts_block(w, layer, n);
    observe("l_out", layer, act.residual.data(), n, config.hidden);
    if (layer + 1 < config.n_layers && !go_on(layer + 1)) return false;
  }
  return true;
}

// Where each token's keys and values go, and the pieces in which attention takes them. Gives the number of
// these.
std::size_t Forward::place(std::span<const PassPart> parts, std::size_t n_tokens) const {
  constexpr std::size_t kBlock = kernels::kKeyBlock;
  const std::size_t together = tokens_together(n_tokens);
  std::size_t row = 0;
  std::size_t n_pieces = 0;
  for (const PassPart& part : parts) {
    for (std::size_t t = 0; t < part.n_tokens; ++t) {
      const std::size_t position = part.first_position + t;
      const std::size_t block = part.blocks == nullptr ? position / kBlock : part.blocks[position / kBlock];
      act.places[row + t] = {position, block * kBlock + position % kBlock};
      assert(act.places[row + t].in_cache < cache.capacity());
    }
    for (std::size_t t = 0; t < part.n_tokens; t += together) {
      act.pieces[n_pieces++] = {row + t, std::min(together, part.n_tokens - t), part.blocks};
    }
    row += part.n_tokens;
  }
  assert(row == n_tokens);
  return n_pieces;
}

void Forward::embed(std::span<const TokenId> tokens) const {
  const WorkTimer timer(profile, Work::embed);
  const quant::TypeInfo& type = quant::info(weights.token_embd.type);
  for_tokens(tokens.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      assert(to_index(tokens[t]) < config.vocab);
      float* const to = act.residual.data() + t * config.hidden;
      if (embedding_rows == nullptr) {
        type.decode_row(weights.token_embd, to_index(tokens[t]), to);
        continue;
      }
      // Stored it is no longer than as floats.
      auto* const stored = reinterpret_cast<std::byte*>(act.projected.data() + t * config.hidden);
      type.decode_row(embedding_rows->copy(weights.token_embd, to_index(tokens[t]), 1, stored), 0, to);
    }
  });
}

void Forward::compute_rotations(std::size_t n_tokens) const {
  const WorkTimer timer(profile, Work::rope_and_cache);
  const RopeTable& rope = weights.rope;
  const std::size_t n_pairs = rope.frequency.size();
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const auto position = static_cast<double>(act.places[t].position);
      for (std::size_t i = 0; i < n_pairs; ++i) {
        const SinCos angle = portable_sincos(position * rope.frequency[i]);
        act.cos[t * n_pairs + i] = static_cast<float>(angle.cos * rope.magnitude);
        act.sin[t * n_pairs + i] = static_cast<float>(angle.sin * rope.magnitude);
      }
    }
  });
}

// x += Wo norm(attention(norm(Wq h), norm(Wk h), Wv h)), h = norm(x); which of the inner norms there are is
// the family's
void Forward::attention_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens,
                              std::size_t n_pieces) const {
  const std::array qkv{Product{w.attn_q, act.q.data()}, Product{w.attn_k, act.k.data()},
                       Product{w.attn_v, act.v.data()}};
  const std::array output{Product{w.attn_output, act.projected.data()}};
  norm(act.residual.data(), w.attn_norm, act.normed, 0, n_tokens, form_for(qkv));
  observe("attn_norm", layer, act.normed.row(0), n_tokens, config.hidden);
  product(Work::qkv, qkv, act.normed, 0, n_tokens);
  observe("q", layer, act.q.data(), n_tokens, config.q_dim());
  observe("k", layer, act.k.data(), n_tokens, config.kv_dim());
  observe("v", layer, act.v.data(), n_tokens, config.kv_dim());
  rotate_and_cache(w, layer, n_tokens);
  observe("q_rope", layer, act.q.data(), n_tokens, config.q_dim());
  observe("k_rope", layer, act.k.data(), n_tokens, config.kv_dim());
  attend(layer, n_tokens, n_pieces);
  observe("attn_mix", layer, act.mixed.data(), n_tokens, config.q_dim());
  norm(act.mixed.data(), w.attn_sub_norm, act.attn_out_in, 0, n_tokens, form_for(output));
  observe("attn_sub_norm", layer, act.attn_out_in.row(0), n_tokens, config.q_dim());
  product(Work::attn_output, output, act.attn_out_in, 0, n_tokens);
  observe("attn_output", layer, act.projected.data(), n_tokens, config.hidden);
  add_to_residual(n_tokens);
}

// Queries and keys, head by head: their norm, where there is one, then their rotation.
void Forward::rotate_and_cache(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const {
  const WorkTimer timer(profile, Work::rope_and_cache);
  const std::size_t d = config.head_dim;
  const std::size_t n_rotated = config.rope.n_rotated;
  const bool is_rotated = config.is_rotated(layer);
  const auto rope = config.rope.layout == RopeLayout::neox ? kernels.rope_neox : kernels.rope_norm;
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const float* cos = act.cos.data() + t * n_rotated / 2;
      const float* sin = act.sin.data() + t * n_rotated / 2;
      const auto turn = [&](float* head, const float* norm) {
        if (norm != nullptr) kernels.rms_norm(head, norm, config.rms_eps, d, head);
        if (is_rotated) rope(head, cos, sin, n_rotated);
      };
      float* q = act.q.data() + t * config.q_dim();
      float* k = act.k.data() + t * config.kv_dim();
      const float* v = act.v.data() + t * config.kv_dim();
      for (std::size_t head = 0; head < config.n_heads; ++head) turn(q + head * d, w.attn_q_norm);
      for (std::size_t head = 0; head < config.n_kv_heads; ++head) {
        turn(k + head * d, w.attn_k_norm);
        cache.store_key(kernels, layer, head, act.places[t].in_cache, k + head * d);
        cache.store_value(kernels, layer, head, act.places[t].in_cache, v + head * d);
      }
    }
  });
}

// What a thread takes is a kv head or a few with all the query heads that read them, for one piece: a token
// or a few. Where one token has more heads than go evenly into the threads, the heads that are left over are
// split by their queries.
void Forward::attend(std::size_t layer, std::size_t n_tokens, std::size_t n_pieces) const {
  const WorkTimer timer(profile, Work::attention);
  const std::size_t n_threads = pool.n_threads();
  const std::size_t group = config.n_heads / config.n_kv_heads;
  const std::size_t n_split = n_tokens == 1 && group >= n_threads ? config.n_kv_heads % n_threads : 0;
  if (n_split == 0) {
    const std::size_t n_parts = heads_apart(n_tokens, n_pieces);
    pool.parallel_for(n_parts * n_pieces, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t part = i / n_pieces;
        const std::size_t first = config.n_kv_heads * part / n_parts;
        const std::size_t end_head = config.n_kv_heads * (part + 1) / n_parts;
        attend_to(layer, act.pieces[i % n_pieces], {first, end_head - first}, {0, group});
      }
    });
    return;
  }
  // The same for every thread: its share of whole heads, then its part of each that is split.
  const std::size_t n_whole = config.n_kv_heads / n_threads;
  const std::size_t share = n_whole + n_split;
  pool.parallel_for(n_threads * share, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t thread = i / share;
      const std::size_t at = i % share;
      if (at < n_whole) {
        attend_to(layer, act.pieces[0], {thread * n_whole + at, 1}, {0, group});
      } else {
        const std::size_t query = group * thread / n_threads;
        attend_to(layer, act.pieces[0], {n_threads * n_whole + at - n_whole, 1},
                  {query, group * (thread + 1) / n_threads - query});
      }
    }
  });
}

// The tokens of a piece, a share of the kv heads, of each of these a share of the query heads.
void Forward::attend_to(std::size_t layer, const AttentionPiece& piece, Share kv_heads, Share queries) const {
  const std::size_t d = config.head_dim;
  const std::size_t group = config.n_heads / config.n_kv_heads;
  const std::size_t at = piece.first_row * config.q_dim() + (kv_heads.first * group + queries.first) * d;
  kernels.attention(cache.type())({.q = act.q.data() + at,
                                   .k = cache.keys(layer, kv_heads.first),
                                   .v = cache.values(layer, kv_heads.first),
                                   .n_queries = queries.n,
                                   .n_keys = act.places[piece.first_row].position + 1,
                                   .head_dim = d,
                                   .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d))),
                                   .out = act.mixed.data() + at,
                                   .block_stride = cache.block_stride(),
                                   .n_kv_heads = kv_heads.n,
                                   .head_stride = cache.head_stride(),
                                   .blocks = piece.blocks,
                                   .window = config.window_of(layer),
                                   .n_tokens = piece.n_rows,
                                   .token_stride = config.q_dim()});
}

// Into how many parts the kv heads go. Heads of a token lie one after the other in memory, and what is read
// straight on comes faster; tokens of one sequence that are many read each head again from the cache of the
// processor instead.
std::size_t Forward::heads_apart(std::size_t n_tokens, std::size_t n_pieces) const {
  if (n_pieces < n_tokens) return config.n_kv_heads;
  const std::size_t wanted = kPiecesPerThread * pool.n_threads();
  return std::clamp<std::size_t>((wanted + n_pieces - 1) / n_pieces, 1, config.n_kv_heads);
}

// How many tokens attention takes together: each key is then read and widened once for all of them, but
// enough pieces must be left for threads that run late to leave some to the others.
std::size_t Forward::tokens_together(std::size_t n_tokens) const {
  const std::size_t group = config.n_heads / config.n_kv_heads;
  const std::size_t most = std::max<std::size_t>(1, kernels::kAttentionRows / group);
  return std::clamp<std::size_t>(n_tokens * config.n_kv_heads / (kPiecesPerThread * pool.n_threads()), 1,
                                 most);
}

// x += Wdown norm(activation(Wgate h) * Wup h), h = norm(x)
void Forward::feed_forward_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const {
  const std::array gate_up{Product{w.ffn_gate, act.gate.data()}, Product{w.ffn_up, act.up.data()}};
  const std::array down{Product{w.ffn_down, act.projected.data()}};
  norm(act.residual.data(), w.ffn_norm, act.normed, 0, n_tokens, form_for(gate_up));
  observe("ffn_norm", layer, act.normed.row(0), n_tokens, config.hidden);
  const bool is_sparse = leaves_out_zeros(n_tokens);
  if (is_sparse) {
    const WorkTimer timer(profile, Work::gate_up);
    sparse->multiply_gate_up(layer, act.normed, n_tokens, act.gate.data(), act.up.data());
  } else {
    product(Work::gate_up, gate_up, act.normed, 0, n_tokens);
  }
  observe("ffn_gate", layer, act.gate.data(), n_tokens, config.ffn);
  observe("ffn_up", layer, act.up.data(), n_tokens, config.ffn);
  activate_and_norm(w, n_tokens, form_for(down));
  observe("ffn_act", layer, act.gate.data(), n_tokens, config.ffn);
  observe("ffn_sub_norm", layer, act.ffn_down_in.row(0), n_tokens, config.ffn);
  if (is_sparse) {
    const WorkTimer timer(profile, Work::ffn_down);
    sparse->multiply_down(layer, act.ffn_down_in, n_tokens, act.projected.data());
  } else {
    if (sparse != nullptr) sparse->bring_rows(layer);
    product(Work::ffn_down, down, act.ffn_down_in, 0, n_tokens);
    if (sparse != nullptr) sparse->leave_rows(layer);
  }
  observe("ffn_down", layer, act.projected.data(), n_tokens, config.hidden);
  add_to_residual(n_tokens);
}

// What is left out, an observer would see.
bool Forward::leaves_out_zeros(std::size_t n_tokens) const {
  return sparse != nullptr && n_tokens <= SparseFeedForward::kMostTokens && !observer;
}

// One loop for both: the row is still in the cache when its norm is taken.
void Forward::activate_and_norm(const LayerWeights& w, std::size_t n_rows, InputForm form) const {
  const WorkTimer timer(profile, Work::activation);
  const auto activate =
      config.gate_activation == GateActivation::relu_squared ? kernels.relu2_mul : kernels.silu_mul;
  const float limit = config.swiglu_clamp;
  for_tokens(n_rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      float* gate = act.gate.data() + t * config.ffn;
      float* up = act.up.data() + t * config.ffn;
      if (limit > 0) clamp(gate, up, limit, config.ffn);
      activate(gate, up, config.ffn);
      norm_row(gate, w.ffn_sub_norm, {act.ffn_down_in, form, begin}, t);
    }
  });
}

const float* Forward::head_input(std::size_t first, std::size_t n) const {
  norm(act.residual.data(), weights.output_norm, act.normed, first, n, InputForm::floats);
  observe("result_norm", 0, act.normed.row(first), n, config.hidden);
  return act.normed.row(first);
}

void Forward::logits(std::size_t first, std::size_t n) const {
  assert(n * config.vocab <= act.logits.size() && first + n <= act.max_tokens);
  const std::array head{Product{weights.output, act.logits.data()}};
  norm(act.residual.data(), weights.output_norm, act.normed, first, n, form_for(head));
  observe("result_norm", 0, act.normed.row(first), n, config.hidden);
  product(Work::head, head, act.normed, first, n);
  if (head_rows != nullptr) head_rows->touched();
}

const float* Forward::head_input(std::span<const std::uint32_t> rows) const {
  norm_for_head(rows, InputForm::floats);
  return act.normed.row(0);
}

void Forward::logits(std::span<const std::uint32_t> rows) const {
  assert(rows.size() * config.vocab <= act.logits.size());
  const std::array head{Product{weights.output, act.logits.data()}};
  norm_for_head(rows, form_for(head));
  product(Work::head, head, act.normed, 0, rows.size());
  if (head_rows != nullptr) head_rows->touched();
}

void Forward::norm_for_head(std::span<const std::uint32_t> rows, InputForm form) const {
  const WorkTimer timer(profile, Work::norm);
  for_tokens(rows.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      norm_row(act.residual.data() + rows[i] * config.hidden, weights.output_norm, {act.normed, form, begin},
               i);
    }
  });
}

// Rows of x, [n_tokens, out.width], normalized to the same rows of out.
void Forward::norm(const float* x, const float* weight, const ProductInput& out, std::size_t first_token,
                   std::size_t n_tokens, InputForm form) const {
  const WorkTimer timer(profile, Work::norm);
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = first_token + begin; t < first_token + end; ++t) {
      norm_row(x + t * out.width, weight, {out, form, first_token + begin}, t);
    }
  });
}

// The norm before a product, then the quantization that ternary weights ask for. Without a weight the row is
// as it is.
void Forward::norm_row(const float* x, const float* weight, const NormedRows& out, std::size_t token) const {
  const std::size_t width = out.to.width;
  const bool is_read = out.form != InputForm::int8;
  float* const to = out.to.row(is_read ? token : out.first);
  if (weight != nullptr) {
    kernels.rms_norm(x, weight, config.rms_eps, width, to);
  } else if (is_read) {
    std::memcpy(to, x, width * sizeof(float));
  }
  const float* const row = weight != nullptr || is_read ? to : x;
  if (out.form != InputForm::floats) out.to.quantize(kernels, row, token);
}

// An observer looks at the floats.
InputForm Forward::form_for(std::span<const Product> products) const {
  const InputForm form = input_form(products, activations);
  return observer && form == InputForm::int8 ? InputForm::both : form;
}

void Forward::product(Work work, std::span<const Product> products, const ProductInput& x,
                      std::size_t first_token, std::size_t n_tokens) const {
  const WorkTimer timer(profile, work);
  multiply(kernels, pool, products, activations, x, first_token, n_tokens);
}

void Forward::add_to_residual(std::size_t n_tokens) const {
  const WorkTimer timer(profile, Work::residual);
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    kernels.add(act.residual.data() + begin * config.hidden, act.projected.data() + begin * config.hidden,
                (end - begin) * config.hidden);
  });
}

// A loop over tokens whose bodies take about a microsecond each: several at a time, but enough blocks for
// threads that run late to leave some to the others.
void Forward::for_tokens(std::size_t n_tokens, ThreadPool::Body body) const {
  constexpr std::size_t kBlocksPerThread = 4;
  constexpr std::size_t kMaxGrain = 16;
  const std::size_t grain = n_tokens / (kBlocksPerThread * pool.n_threads());
  pool.parallel_for(n_tokens, std::clamp<std::size_t>(grain, 1, kMaxGrain), body);
}

}  // namespace bitnet
