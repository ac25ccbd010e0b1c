#include "quant/q6_k.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q6_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i) {
    const Block& b = blocks[i / Block::kElements];
    const std::size_t j = i % Block::kElements;
    const std::size_t half = j / 128;
    const std::size_t k = j % 128 / 32;
    const std::size_t l = j % 32;
    const int low = b.ql[64 * half + 32 * (k % 2) + l] >> (4 * (k / 2)) & 15;
    const int high = b.qh[32 * half + l] >> (2 * k) & 3;
    const float scale = f16_to_f32(b.d) * static_cast<float>(b.scale[j / 16]);
    out[i] = scale * static_cast<float>((low | high << 4) - 32) * w.scale;
  }
}

}  // namespace bitnet::quant::q6_k
