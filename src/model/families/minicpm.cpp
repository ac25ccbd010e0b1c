// MiniCPM: BitCPM. Llama with three factors that its training fixed (arXiv 2404.06395, section 3.2):
//
//   x       = embedding_scale * token_embd[id]
//   x      += residual_scale * what attention and the feed-forward network add
//   logits  = output * rmsnorm(x, output_norm) / logit_scale
//
// and, in models with a long context, divisors of the rotation's frequencies in a pair of tensors, one for
// texts beyond the original context. The keys and tensors are those of conversion/minicpm.py of llama.cpp.
#include <array>
#include <string_view>

#include "model/families/family.h"

namespace bitnet {
namespace {

constexpr std::array<std::string_view, 3> kKeys{"embedding_scale", "residual_scale", "logit_scale"};

void read_minicpm_keys(const KeyReader& read, Config& c) {
  const auto factor = [&](std::string_view key) {
    // Converters of before 2025 left them out, and which they are is then the program's guess.
    if (!read.has(key)) {
      read.refuse(key, "missing",
                  "convert the model again with a converter that writes it, llama.cpp's of 2025 or later");
    }
    return static_cast<float>(read.number_between(key, 1e-6, 1e6, 1));
  };
  c.embedding_scale = factor(kKeys[0]);
  c.residual_scale = factor(kKeys[1]);
  c.logit_scale = 1 / factor(kKeys[2]);
}

}  // namespace

const Family kMiniCpm{.architecture = "minicpm",
                      .rope_layout = RopeLayout::norm,
                      .gate_activation = GateActivation::silu,
                      .long_rope_factors = true,
                      .own_keys = kKeys,
                      .read_keys = read_minicpm_keys,
                      .read_layer = read_feed_forward};

}  // namespace bitnet
