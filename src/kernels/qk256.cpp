#include "kernels/qk256.h"

#include <algorithm>
#include <array>

namespace bitnet::kernels {

using quant::qk256::kBlock;
using quant::qk256::kBlockBytes;

void decode_qk256_row(const Kernels& kernels, const quant::qk256::Row& row, float* out) {
  const auto values = quant::qk256::values_of(row.codebook);
  std::array<float, kBlock> rest;
  for (std::size_t i = 0; i < row.cols; i += kBlock) {
    const std::size_t block = i / kBlock;
    // Four products serve all of the block.
    const float scale = row.scales == nullptr ? 1.0F : row.scales[block];
    std::array<float, 4> scaled;
    std::ranges::transform(values, scaled.begin(), [scale](float v) { return v * scale; });
    const std::uint8_t* codes = row.codes + block * kBlockBytes;
    const std::size_t n = std::min(kBlock, row.cols - i);
    if (n == kBlock) {
      kernels.decode_sequential(codes, kBlock, scaled.data(), out + i);
    } else {
      kernels.decode_sequential(codes, kBlock, scaled.data(), rest.data());
      std::copy_n(rest.begin(), n, out + i);
    }
  }
}

}  // namespace bitnet::kernels
