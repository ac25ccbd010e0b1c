#include "quant/qk256.h"

#include <array>

namespace bitnet::quant::qk256 {
namespace {

constexpr std::array<std::array<float, 4>, 3> kCodebooks{{
    {-1.0F, 0.0F, 1.0F, 2.0F},
    {-2.0F, -1.0F, 1.0F, 2.0F},
    {-1.0F, -1.0F / 3.0F, 1.0F / 3.0F, 1.0F},
}};

}  // namespace

std::span<const float, 4> values_of(Codebook codebook) {
  return kCodebooks[static_cast<std::size_t>(codebook)];
}

void decode_row(const Row& row, float* out) {
  const auto values = values_of(row.codebook);
  for (std::size_t i = 0; i < row.cols; ++i) {
    const std::size_t block = i / kBlock;
    const std::size_t j = i % kBlock;
    const unsigned code = static_cast<unsigned>(row.codes[block * kBlockBytes + j / 4]) >> (2 * (j % 4)) & 3U;
    out[i] = values[code] * (row.scales == nullptr ? 1.0F : row.scales[block]);
  }
}

}  // namespace bitnet::quant::qk256
