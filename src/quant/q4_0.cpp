#include "quant/q4_0.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q4_0 {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const int q = j < 16 ? b.q[j] & 15 : b.q[j - 16] >> 4;
    out[i] = f16_to_f32(b.d) * static_cast<float>(q - 8) * w.scale;
  }
}

}  // namespace bitnet::quant::q4_0
