#include "quant/q8_0.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q8_0 {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    out[i] = f16_to_f32(b.d) * static_cast<float>(b.q[i % Block::kElements]) * w.scale;
  }
}

}  // namespace bitnet::quant::q8_0
