// Qwen3, dense: Ternary-Bonsai 1.7B, 4B and 8B. arXiv 2505.09388.
//
//   q, k = rmsnorm(q, attn_q_norm), rmsnorm(k, attn_k_norm)     each head by itself, before the rotation
#include "model/families/family.h"

namespace bitnet {
namespace {

void read_qwen3_layer(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l) {
  read_feed_forward(read, c, prefix, l);
  l.attn_q_norm = read.vector(prefix + "attn_q_norm.weight", c.head_dim);
  l.attn_k_norm = read.vector(prefix + "attn_k_norm.weight", c.head_dim);
}

}  // namespace

const Family kQwen3{.architecture = "qwen3",
                    .rope_layout = RopeLayout::neox,
                    .gate_activation = GateActivation::silu,
                    .read_layer = read_qwen3_layer};

}  // namespace bitnet
