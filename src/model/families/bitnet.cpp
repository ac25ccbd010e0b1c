// BitNet: `bitnet-b1.58`, also spelled `bitnet-25` (Microsoft's BitNet-b1.58-2B-4T), and `bitnet`
// (bitnet_b1_58-large and -3B). arXiv 2402.17764, 2504.12285.
//
//   x += attn_output * rmsnorm(attention, attn_sub_norm)
//   x += ffn_down * rmsnorm(activation(gate) * up, ffn_sub_norm)
#include "model/families/family.h"

namespace bitnet {
namespace {

void read_bitnet_layer(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l) {
  read_feed_forward(read, c, prefix, l);
  l.attn_sub_norm = read.vector(prefix + "attn_sub_norm.weight", c.q_dim());
  l.ffn_sub_norm = read.vector(prefix + "ffn_sub_norm.weight", c.ffn);
}

}  // namespace

const Family kBitnetB158{.architecture = "bitnet-b1.58",
                         .rope_layout = RopeLayout::neox,
                         .gate_activation = GateActivation::relu_squared,
                         .sub_norms = true,
                         .read_layer = read_bitnet_layer};
const Family kBitnet25{.architecture = "bitnet-25",
                       .rope_layout = RopeLayout::neox,
                       .gate_activation = GateActivation::relu_squared,
                       .sub_norms = true,
                       .read_layer = read_bitnet_layer};
const Family kBitnet{.architecture = "bitnet",
                     .rope_layout = RopeLayout::neox,
                     .gate_activation = GateActivation::silu,
                     .sub_norms = true,
                     .read_layer = read_bitnet_layer};

}  // namespace bitnet
