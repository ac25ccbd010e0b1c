#include "model/activations.h"

#include <algorithm>
#include <cstring>

namespace bitnet {
namespace {

constexpr MemoryPurpose kPurpose{"the activations", "use a smaller prefill chunk, or free some"};
constexpr std::size_t kTile = kernels::QuantizedBlocks::kTileTokens;

// Of the feed-forward network for n tokens.
std::size_t ffn_rows(const Config& c, std::size_t n) {
  return n * std::max<std::size_t>(1, c.n_experts_used);
}

}  // namespace

ProductInput::ProductInput(std::size_t n_tokens, std::size_t row_width, const Rounding& rounding)
    : width(row_width),
      q_stride((row_width + 63) / 64 * 64),
      x(n_tokens * row_width, kPurpose),
      q(n_tokens * q_stride, kPurpose),
      scale(n_tokens, kPurpose),
      sum(n_tokens, kPurpose) {
  if (!rounding.has_lanes) return;
  block = rounding.block;
  const std::size_t n_parts = n_tokens * q_stride / kernels::QuantizedBlocks::kPart;
  unit = Buffer<float>(n_parts, kPurpose);
  minus_sum = Buffer<std::int32_t>(n_parts, kPurpose);
  tiles = Buffer<std::int8_t>(n_tokens / kTile * kTile * q_stride, kPurpose);
}

void ProductInput::quantize(const kernels::Kernels& kernels, const float* values, std::size_t t) const {
  std::int8_t* const to = q.data() + t * q_stride;
  if (block == 0) return kernels.quantize(values, width, q_stride, to, &scale[t], &sum[t]);
  const std::size_t part = t * q_stride / kernels::QuantizedBlocks::kPart;
  kernels.quantize_blocks(values, width, block, q_stride,
                          {to, unit.data() + part, minus_sum.data() + part, &scale[t], &sum[t]});
  const std::size_t tile = t / kTile * kTile * q_stride;
  if (tile >= tiles.size()) return;
  std::int8_t* const of_token = tiles.data() + tile + t % kTile * 4;
  for (std::size_t i = 0; i < q_stride; i += 4) std::memcpy(of_token + i * kTile, to + i, 4);
}

kernels::QuantizedBlocks ProductInput::blocks(std::size_t first) const {
  const std::size_t part = first * q_stride / kernels::QuantizedBlocks::kPart;
  const bool has_tiles = first % kTile == 0 && first * q_stride < tiles.size();
  return {.q = q.data() + first * q_stride,
          .tiles = has_tiles ? tiles.data() + first * q_stride : nullptr,
          .unit = unit.data() + part,
          .minus_sum = minus_sum.data() + part,
          .stride = q_stride,
          .block = block,
          .scale = block >= width ? scale.data() + first : nullptr};
}

ExpertActivations::ExpertActivations(const Config& c, std::size_t n, const Rounding& rounding)
    : n_used(c.n_experts_used),
      router(n * c.n_experts, kPurpose),
      expert(n * n_used, kPurpose),
      share(n * n_used, kPurpose),
      row_of(n * n_used, kPurpose),
      first_row(c.n_experts + 1, kPurpose),
      active(c.n_experts, kPurpose),
      in(n * n_used, c.hidden, rounding),
      out(n * n_used * c.hidden, kPurpose) {}

Activations::Activations(const Config& c, std::size_t n, const Rounding& rounding, std::size_t head_tokens)
    : max_tokens(n),
      places(n, kPurpose),
      pieces(n, kPurpose),
      residual(n * c.hidden, kPurpose),
      normed(n, c.hidden, rounding),
      q(n * c.q_dim(), kPurpose),
      k(n * c.kv_dim(), kPurpose),
      v(n * c.kv_dim(), kPurpose),
      mixed(n * c.q_dim(), kPurpose),
      attn_out_in(n, c.q_dim(), rounding),
      projected(n * c.hidden, kPurpose),
      gate(ffn_rows(c, n) * c.ffn, kPurpose),
      up(ffn_rows(c, n) * c.ffn, kPurpose),
      ffn_down_in(ffn_rows(c, n), c.ffn, rounding),
      cos(n * c.rope.n_rotated / 2, kPurpose),
      sin(n * c.rope.n_rotated / 2, kPurpose),
      logits(std::min(n, head_tokens) * c.vocab, kPurpose),
      experts(c, n, rounding) {}

}  // namespace bitnet
