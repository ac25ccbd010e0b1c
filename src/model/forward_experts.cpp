// The feed-forward network of a mixture of experts.
#include <algorithm>
#include <array>
#include <cstring>

#include "model/experts.h"
#include "model/forward.h"

namespace bitnet {

// x += sum over a token's experts of share * Wdown activation(Wgate h, Wup h), h = norm(x)
void Forward::experts_block(const LayerWeights& w, std::size_t layer, std::size_t n_tokens) const {
  ExpertActivations& experts = act.experts;
  const std::size_t n_rows = n_tokens * experts.n_used;
  const std::array router{Product{w.ffn_router, experts.router.data()}};
  const std::array gate_up{Product{w.ffn_gate, act.gate.data()}, Product{w.ffn_up, act.up.data()}};
  const std::array down{Product{w.ffn_down, experts.out.data()}};
  norm(act.residual.data(), w.ffn_norm, act.normed, 0, n_tokens, InputForm::floats);
  observe("ffn_norm", layer, act.normed.row(0), n_tokens, config.hidden);
  product(Work::router, router, act.normed, 0, n_tokens);
  observe("ffn_router", layer, experts.router.data(), n_tokens, config.n_experts);
  give_to_experts(n_tokens, form_for(gate_up));
  {
    const WorkTimer timer(profile, Work::gate_up);
    multiply_by_expert(kernels, pool, gate_up, activations, experts.in, experts);
  }
  activate_and_norm(w, n_rows, form_for(down));
  {
    const WorkTimer timer(profile, Work::ffn_down);
    multiply_by_expert(kernels, pool, down, activations, act.ffn_down_in, experts);
  }
  add_up_experts(n_tokens);
  observe("ffn_down", layer, act.projected.data(), n_tokens, config.hidden);
  add_to_residual(n_tokens);
}

// Each token's row, once for each of its experts, to where that expert's rows stand.
void Forward::give_to_experts(std::size_t n_tokens, InputForm form) const {
  const WorkTimer timer(profile, Work::router);
  ExpertActivations& experts = act.experts;
  const std::size_t n_used = experts.n_used;
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      choose_experts(kernels, experts.router.span().subspan(t * config.n_experts, config.n_experts), n_used,
                     experts.expert.data() + t * n_used, experts.share.data() + t * n_used);
    }
  });
  sort_by_expert(experts, n_tokens);
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin * n_used; i < end * n_used; ++i)
      norm_row(act.normed.row(i / n_used), nullptr, {experts.in, form, begin * n_used}, experts.row_of[i]);
  });
}

// To act.projected, in the order that experts.h lays down.
void Forward::add_up_experts(std::size_t n_tokens) const {
  const WorkTimer timer(profile, Work::residual);
  const ExpertActivations& experts = act.experts;
  for_tokens(n_tokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      float* sum = act.projected.data() + t * config.hidden;
      for (std::size_t r = 0; r < experts.n_used; ++r) {
        const std::size_t pair = t * experts.n_used + r;
        const float* y = experts.out.data() + experts.row_of[pair] * config.hidden;
        const float share = experts.share[pair];
        for (std::size_t i = 0; i < config.hidden; ++i) {
          const float part = share * y[i];
          sum[i] = r == 0 ? part : sum[i] + part;
        }
      }
    }
  });
}

}  // namespace bitnet
