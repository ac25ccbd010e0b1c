#include "quant/q5_k.h"

#include "base/half.h"
#include "quant/block_format.h"
#include "quant/k_scales.h"

namespace bitnet::quant::q5_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const auto scales = scales_and_minima(b.scales);
    const int low = b.q[32 * (j / 64) + j % 32] >> (j % 64 < 32 ? 0 : 4) & 15;
    const int high = b.high[j % 32] >> (j / 32) & 1;
    const float scale = f16_to_f32(b.d) * static_cast<float>(scales[j / 32]);
    const float minimum = f16_to_f32(b.m) * static_cast<float>(scales[8 + j / 32]);
    out[i] = (scale * static_cast<float>(low | high << 4) - minimum) * w.scale;
  }
}

}  // namespace bitnet::quant::q5_k
