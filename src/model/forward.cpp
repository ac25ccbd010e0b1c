#include "model/forward.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/portable_math.h"
#include "model/linear.h"

namespace bitnet {
namespace {

// The norm before a product, then the quantization that ternary weights ask for. Without a weight the row is
// as it is.
void norm_row(const kernels::Kernels& kernels, const float* x, const float* norm_weight, float eps,
              const ProductInput& out, std::size_t token, bool quantize) {
  float* row = out.row(token);
  if (norm_weight != nullptr) {
    kernels.rms_norm(x, norm_weight, eps, out.width, row);
  } else {
    std::memcpy(row, x, out.width * sizeof(float));
  }
  if (quantize) {
    kernels.quantize(row, out.width, out.q_stride, out.q.data() + token * out.q_stride, &out.scale[token],
                     &out.sum[token]);
  }
}

bool any_ternary(std::span<const Product> products) {
  for (const Product& p : products) {
    if (quant::info(p.w.type).ternary) return true;
  }
  return false;
}

}  // namespace

void Forward::run(std::span<const TokenId> tokens, std::size_t first_position) const {
  const std::size_t n = tokens.size();
  assert(n >= 1 && n <= act.max_tokens && first_position + n <= cache.capacity());
  embed(tokens);
  compute_rotations(n, first_position);
  for (std::size_t layer = 0; layer < config.n_layers; ++layer) {
    const LayerWeights& w = weights.layers[layer];
    attention_block(w, layer, n, first_position);
    if (observer) observer("attn_out", layer, act.residual.data(), n, config.hidden);
    feed_forward_block(w, n);
    if (observer) observer("l_out", layer, act.residual.data(), n, config.hidden);
  }
}

void Forward::embed(std::span<const TokenId> tokens) const {
  const quant::TypeInfo& type = quant::info(weights.token_embd.type);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    assert(to_index(tokens[t]) < config.vocab);
    type.decode_row(weights.token_embd, to_index(tokens[t]), act.residual.data() + t * config.hidden);
  }
}

void Forward::compute_rotations(std::size_t n_tokens, std::size_t first_position) const {
  const std::size_t half = config.head_dim / 2;
  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const auto position = static_cast<double>(first_position + t);
      for (std::size_t i = 0; i < half; ++i) {
        const SinCos angle = portable_sincos(position * weights.rope_frequency[i]);
        act.cos[t * half + i] = static_cast<float>(angle.cos);
        act.sin[t * half + i] = static_cast<float>(angle.sin);
      }
    }
  });
}

// x += Wo norm(attention(Wq h, Wk h, Wv h)), h = norm(x)
void Forward::attention_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens,
                              std::size_t first_position) const {
  const std::array qkv{Product{w.attn_q, act.q.data()}, Product{w.attn_k, act.k.data()},
                       Product{w.attn_v, act.v.data()}};
  const std::array output{Product{w.attn_output, act.projected.data()}};
  const bool quantize_qkv = any_ternary(qkv);
  const bool quantize_output = any_ternary(output);

  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      norm_row(kernels, act.residual.data() + t * config.hidden, w.attn_norm, config.rms_eps, act.normed, t,
               quantize_qkv);
    }
  });
  multiply(kernels, pool, qkv, act.normed, 0, n_tokens);
  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) rotate_and_cache(layer, t, first_position + t);
  });
  attend(layer, n_tokens, first_position);
  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      norm_row(kernels, act.mixed.data() + t * config.q_dim(), w.attn_sub_norm, config.rms_eps,
               act.attn_out_in, t, quantize_output);
    }
  });
  multiply(kernels, pool, output, act.attn_out_in, 0, n_tokens);
  add_to_residual(n_tokens);
}

void Forward::rotate_and_cache(std::size_t layer, std::size_t token, std::size_t position) const {
  const std::size_t d = config.head_dim;
  const float* cos = act.cos.data() + token * d / 2;
  const float* sin = act.sin.data() + token * d / 2;
  float* q = act.q.data() + token * config.q_dim();
  float* k = act.k.data() + token * config.kv_dim();
  const float* v = act.v.data() + token * config.kv_dim();
  const auto rope = config.rope_layout == RopeLayout::neox ? kernels.rope_neox : kernels.rope_norm;
  for (std::size_t head = 0; head < config.n_heads; ++head) rope(q + head * d, cos, sin, d);
  for (std::size_t head = 0; head < config.n_kv_heads; ++head) {
    rope(k + head * d, cos, sin, d);
    void* key = cache.key(layer, head, position);
    void* value = cache.value(layer, head, position);
    if (cache.type() == kernels::CacheType::f16) {
      kernels.store_f16(k + head * d, static_cast<std::uint16_t*>(key), d);
      kernels.store_f16(v + head * d, static_cast<std::uint16_t*>(value), d);
    } else {
      std::memcpy(key, k + head * d, d * sizeof(float));
      std::memcpy(value, v + head * d, d * sizeof(float));
    }
  }
}

// One piece of work is one token and one kv head with all the query heads that read it.
void Forward::attend(std::size_t layer, std::size_t n_tokens, std::size_t first_position) const {
  const std::size_t d = config.head_dim;
  const std::size_t group = config.n_heads / config.n_kv_heads;
  const auto attention =
      cache.type() == kernels::CacheType::f16 ? kernels.attention_f16 : kernels.attention_f32;
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d)));
  pool.parallel_for(n_tokens * config.n_kv_heads, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t token = i / config.n_kv_heads;
      const std::size_t kv_head = i % config.n_kv_heads;
      const std::size_t at = token * config.q_dim() + kv_head * group * d;
      attention({.q = act.q.data() + at,
                 .k = cache.key(layer, kv_head, 0),
                 .v = cache.value(layer, kv_head, 0),
                 .n_queries = group,
                 .n_keys = first_position + token + 1,
                 .head_dim = d,
                 .scale = scale,
                 .out = act.mixed.data() + at});
    }
  });
}

// x += Wdown norm(activation(Wgate h) * Wup h), h = norm(x)
void Forward::feed_forward_block(const LayerWeights& w, std::size_t n_tokens) const {
  const std::array gate_up{Product{w.ffn_gate, act.gate.data()}, Product{w.ffn_up, act.up.data()}};
  const std::array down{Product{w.ffn_down, act.projected.data()}};
  const bool quantize_gate_up = any_ternary(gate_up);
  const bool quantize_down = any_ternary(down);
  const auto activate =
      config.gate_activation == GateActivation::relu_squared ? kernels.relu2_mul : kernels.silu_mul;

  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      norm_row(kernels, act.residual.data() + t * config.hidden, w.ffn_norm, config.rms_eps, act.normed, t,
               quantize_gate_up);
    }
  });
  multiply(kernels, pool, gate_up, act.normed, 0, n_tokens);
  pool.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      float* gate = act.gate.data() + t * config.ffn;
      activate(gate, act.up.data() + t * config.ffn, config.ffn);
      norm_row(kernels, gate, w.ffn_sub_norm, config.rms_eps, act.ffn_down_in, t, quantize_down);
    }
  });
  multiply(kernels, pool, down, act.ffn_down_in, 0, n_tokens);
  add_to_residual(n_tokens);
}

void Forward::add_to_residual(std::size_t n_tokens) const {
  kernels.add(act.residual.data(), act.projected.data(), n_tokens * config.hidden);
}

void Forward::logits(std::size_t first, std::size_t n) const {
  assert(n <= Activations::kHeadTokens && first + n <= act.max_tokens);
  const std::array head{Product{weights.output, act.logits.data()}};
  for (std::size_t t = first; t < first + n; ++t) {
    norm_row(kernels, act.residual.data() + t * config.hidden, weights.output_norm, config.rms_eps,
             act.normed, t, any_ternary(head));
  }
  if (observer) observer("result_norm", 0, act.normed.row(first), n, config.hidden);
  multiply(kernels, pool, head, act.normed, first, n);
}

}  // namespace bitnet
