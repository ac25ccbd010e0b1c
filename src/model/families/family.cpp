#include "model/families/family.h"

#include <array>

#include "base/joined.h"

namespace bitnet {
namespace {

constexpr std::array<const Family*, 7> kFamilies{&kBitnetB158, &kBitnet25, &kBitnet, &kLlama,
                                                 &kQwen3,      &kMaple,    &kMiniCpm};

}  // namespace

const Family* find_family(std::string_view architecture) {
  for (const Family* family : kFamilies) {
    if (family->architecture == architecture) return family;
  }
  return nullptr;
}

std::string architecture_names() { return joined(kFamilies, &Family::architecture); }

void read_feed_forward(TensorReader& read, const Config& c, const std::string& prefix, LayerWeights& l) {
  l.ffn_gate = read.linear(prefix + "ffn_gate", c.ffn, c.hidden);
  l.ffn_up = read.linear(prefix + "ffn_up", c.ffn, c.hidden);
  l.ffn_down = read.linear(prefix + "ffn_down", c.hidden, c.ffn);
}

}  // namespace bitnet
