// Every intermediate of the forward pass, made once per session for the largest chunk of tokens.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace bitnet {

// How a model's products want their input rounded.
struct Rounding {
  bool has_lanes = false;  // some weights are in lanes
  std::size_t block = 0;   // columns under one scale, for them; whole rows: at least the widest
};

// What products read of their input. Floats that none reads need no place of their own.
enum class InputForm { floats, int8, both };

// The input of a matrix product: as floats, and as int8 for weights of two bits or less.
struct ProductInput {
  ProductInput() = default;
  ProductInput(std::size_t n_tokens, std::size_t width, const Rounding& rounding);

  // Rounds values, [width], to row t.
  void quantize(const kernels::Kernels& kernels, const float* values, std::size_t t) const;

  float* row(std::size_t t) const { return x.data() + t * width; }
  kernels::FloatRows floats() const { return {x.data(), width}; }
  kernels::QuantizedRows quantized() const { return {q.data(), scale.data(), sum.data(), q_stride}; }
  // From row `first` on.
  kernels::QuantizedBlocks blocks(std::size_t first) const;

  std::size_t width = 0;
  std::size_t q_stride = 0;  // width rounded up, so that rows of q start on a cache line
  Buffer<float> x;           // [n_tokens, width]
  Buffer<std::int8_t> q;     // [n_tokens, q_stride]
  Buffer<float> scale;       // [n_tokens]
  Buffer<std::int32_t> sum;  // [n_tokens]

  // For weights in lanes: see kernels::QuantizedBlocks.
  std::size_t block = 0;
  Buffer<std::int8_t> tiles;
  Buffer<float> unit;
  Buffer<std::int32_t> minus_sum;
};

// What a mixture of experts takes beside; a row is a token at one of its experts.
struct ExpertActivations {
  ExpertActivations(const Config& c, std::size_t max_tokens, const Rounding& rounding);

  std::size_t n_used;               // experts of a token; 0: there are none
  Buffer<float> router;             // [max_tokens, n_experts] logits
  Buffer<std::uint32_t> expert;     // [max_tokens, n_used] that are chosen, best first
  Buffer<float> share;              // [max_tokens, n_used] what they count
  Buffer<std::uint32_t> row_of;     // [max_tokens, n_used] their rows below
  Buffer<std::uint32_t> first_row;  // [n_experts + 1] of each expert's
  Buffer<std::uint32_t> active;     // [n_experts] the experts that have rows, n_active of them
  std::size_t n_active = 0;
  ProductInput in;    // [max_tokens * n_used, hidden] sorted by expert
  Buffer<float> out;  // [max_tokens * n_used, hidden]
};

// Where a token of a pass stands.
struct TokenPlace {
  std::size_t position;  // in its sequence
  std::size_t in_cache;
};

// Tokens of one sequence that attention takes together.
struct AttentionPiece {
  std::size_t first_row;
  std::size_t n_rows;
  const std::uint32_t* blocks;  // as in PassPart
};

struct Activations {
  // Logits are wanted for few positions at a time; the head is computed for up to so many together.
  static constexpr std::size_t kHeadTokens = 8;

  Activations(const Config& c, std::size_t max_tokens, const Rounding& rounding,
              std::size_t head_tokens = kHeadTokens);

  std::size_t max_tokens;
  Buffer<TokenPlace> places;      // [max_tokens]
  Buffer<AttentionPiece> pieces;  // [max_tokens]
  Buffer<float> residual;         // [max_tokens, hidden]
  ProductInput normed;            // [max_tokens, hidden] after attn_norm, ffn_norm or output_norm
  Buffer<float> q;                // [max_tokens, q_dim]
  Buffer<float> k;                // [max_tokens, kv_dim]
  Buffer<float> v;                // [max_tokens, kv_dim]
  Buffer<float> mixed;            // [max_tokens, q_dim] what attention gives
  ProductInput attn_out_in;       // [max_tokens, q_dim] the same after attn_sub_norm
  Buffer<float> projected;        // [max_tokens, hidden] what is added to the residual stream
  // With experts, a row for each token at each of its experts.
  Buffer<float> gate;        // [max_tokens, ffn] then activation(gate) * up
  Buffer<float> up;          // [max_tokens, ffn]
  ProductInput ffn_down_in;  // [max_tokens, ffn] the same after ffn_sub_norm
  Buffer<float> cos;         // [max_tokens, n_rotated / 2] times the rotation's magnitude
  Buffer<float> sin;         // [max_tokens, n_rotated / 2]
  Buffer<float> logits;      // [head_tokens, vocab]
  ExpertActivations experts;
};

}  // namespace bitnet
