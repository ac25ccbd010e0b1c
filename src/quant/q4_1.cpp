#include "quant/q4_1.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q4_1 {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const int q = b.q[j % 16] >> (j < 16 ? 0 : 4) & 15;
    out[i] = (f16_to_f32(b.d) * static_cast<float>(q) + f16_to_f32(b.m)) * w.scale;
  }
}

}  // namespace bitnet::quant::q4_1
