// Maple, a mixture of experts: Maple-preview 20B-A1B. Read from llama.cpp's src/models/maple.cpp and its
// converter (pull request 27000), which the published files come from.
//
//   q, k = rmsnorm(q, attn_q_norm), rmsnorm(k, attn_k_norm)   each head by itself
//   sliding layers (attention.sliding_window_pattern): the first rope.dimension_count values of a head are
//     rotated, and a token sees attention.sliding_window keys, its own included
//   full layers: no rotation, a token sees all keys before it
//   feed-forward network:
//     p    = softmax(ffn_gate_inp h)           the expert_used_count experts of largest p are chosen
//     f_e  = silu(min(gate_e h, clamp)) * clamp(up_e h, -clamp, clamp)
//     x   += sum over the chosen e of p_e / (sum of the chosen p) * down_e f_e
//
// The window's edge is llama.cpp's. The training code is said (vllm-project/vllm#51833) to let a token see
// one key more; no file says so.
#include <algorithm>
#include <array>
#include <cstdint>

#include "model/families/family.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxWindow = 1U << 30;
// Of an expert's rows: weights in lanes have sixteen side by side, and none may be of two experts.
constexpr std::size_t kRowMultiple = quant::lanes::kRows;

constexpr std::array<std::string_view, 10> kOwnKeys{
    "attention.sliding_window", "attention.sliding_window_pattern",
    "rope.freq_base_swa",       "expert_count",
    "expert_used_count",        "expert_feed_forward_length",
    "expert_gating_func",       "expert_weights_norm",
    "expert_weights_scale",     "swiglu_clamp_exp"};

void read_window(const KeyReader& read, Config& c) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  c.window = read.count("attention.sliding_window", kMaxWindow);
  const auto sliding = read.flags(kPattern);
  if (!sliding) read.refuse(kPattern, "missing", "the file is incomplete: convert or download it again");
  if (sliding->size() != c.n_layers) {
    read.refuse(kPattern, "an array of " + std::to_string(sliding->size()) + " values for " +
                              std::to_string(c.n_layers) + " layers");
  }
  c.sliding = *sliding;
}

void read_experts(const KeyReader& read, Config& c) {
  c.ffn = read.count("expert_feed_forward_length", limits::kWidth);
  c.n_experts = read.count("expert_count", limits::kExperts);
  c.n_experts_used = read.count("expert_used_count", limits::kExperts);
  if (c.n_experts_used > c.n_experts) {
    read.refuse("expert_used_count",
                std::to_string(c.n_experts_used) + " of " + std::to_string(c.n_experts) + " experts");
  }
  if (c.ffn % kRowMultiple != 0) {
    read.refuse("expert_feed_forward_length",
                std::to_string(c.ffn) + " is not a multiple of " + std::to_string(kRowMultiple));
  }
  if (c.hidden % kRowMultiple != 0) {
    read.refuse("embedding_length",
                std::to_string(c.hidden) + " is not a multiple of " + std::to_string(kRowMultiple));
  }
  constexpr double kSoftmax = 1;
  if (read.number("expert_gating_func").value_or(kSoftmax) != kSoftmax) {
    read.refuse("expert_gating_func", "only the softmax (1) is implemented");
  }
  if (!read.flag("expert_weights_norm").value_or(true)) {
    read.refuse("expert_weights_norm", "weights that do not add up to 1 are not implemented");
  }
  if (const double scale = read.number("expert_weights_scale").value_or(1); scale != 0 && scale != 1) {
    read.refuse("expert_weights_scale", "scaled weights are not implemented");
  }
  // 7 is what files from before the key mean.
  c.swiglu_clamp = static_cast<float>(read.number_between("swiglu_clamp_exp", 0, 1e30, 7));
}

void read_keys(const KeyReader& read, Config& c) {
  read_window(read, c);
  read_experts(read, c);
  c.rope.theta = read.number_between("rope.freq_base_swa", 1, 1e12, c.rope.theta);
}

void read_maple_layer(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l) {
  l.attn_q_norm = read.vector(prefix + "attn_q_norm.weight", c.head_dim);
  l.attn_k_norm = read.vector(prefix + "attn_k_norm.weight", c.head_dim);
  const std::string router = prefix + "ffn_gate_inp.weight";
  l.ffn_router = read.matrix(router, c.n_experts, c.hidden);
  if (quant::is_low_bit(l.ffn_router.type)) {
    read.refuse(router, "a router's weights cannot be of two bits", "convert the model again");
  }
  l.ffn_gate = read.stacked(prefix + "ffn_gate_exps", c.n_experts, c.ffn, c.hidden);
  l.ffn_up = read.stacked(prefix + "ffn_up_exps", c.n_experts, c.ffn, c.hidden);
  l.ffn_down = read.stacked(prefix + "ffn_down_exps", c.n_experts, c.hidden, c.ffn);
}

}  // namespace

const Family kMaple{.architecture = "maple",
                    .rope_layout = RopeLayout::neox,
                    .gate_activation = GateActivation::silu,
                    .part_rotated = true,
                    .tied_output = false,
                    .mixture = true,
                    .own_keys = kOwnKeys,
                    .read_keys = read_keys,
                    .read_layer = read_maple_layer};

}  // namespace bitnet
