#include "quant/q2_k.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q2_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const int q = b.q[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)) & 3;
    const float scale = f16_to_f32(b.d) * static_cast<float>(b.scales[j / 16] & 15);
    const float minimum = f16_to_f32(b.m) * static_cast<float>(b.scales[j / 16] >> 4);
    out[i] = (scale * static_cast<float>(q) - minimum) * w.scale;
  }
}

}  // namespace bitnet::quant::q2_k
