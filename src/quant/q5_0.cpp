#include "quant/q5_0.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q5_0 {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const int low = b.q[j % 16] >> (j < 16 ? 0 : 4) & 15;
    const int high = b.high[j / 8] >> (j % 8) & 1;
    out[i] = f16_to_f32(b.d) * static_cast<float>((low | high << 4) - 16) * w.scale;
  }
}

}  // namespace bitnet::quant::q5_0
