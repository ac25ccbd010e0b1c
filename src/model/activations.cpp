#include "model/activations.h"

#include <algorithm>

namespace bitnet {
namespace {

constexpr const char* kPurpose = "the activations";

}  // namespace

ProductInput::ProductInput(std::size_t n_tokens, std::size_t row_width)
    : width(row_width),
      q_stride((row_width + 63) / 64 * 64),
      x(n_tokens * row_width, kPurpose),
      q(n_tokens * q_stride, kPurpose),
      scale(n_tokens, kPurpose),
      sum(n_tokens, kPurpose) {}

Activations::Activations(const Config& c, std::size_t n)
    : max_tokens(n),
      residual(n * c.hidden, kPurpose),
      normed(n, c.hidden),
      q(n * c.q_dim(), kPurpose),
      k(n * c.kv_dim(), kPurpose),
      v(n * c.kv_dim(), kPurpose),
      mixed(n * c.q_dim(), kPurpose),
      attn_out_in(n, c.q_dim()),
      projected(n * c.hidden, kPurpose),
      gate(n * c.ffn, kPurpose),
      up(n * c.ffn, kPurpose),
      ffn_down_in(n, c.ffn),
      cos(n * c.rope.n_rotated / 2, kPurpose),
      sin(n * c.rope.n_rotated / 2, kPurpose),
      logits(std::min(n, kHeadTokens) * c.vocab, kPurpose) {}

}  // namespace bitnet
