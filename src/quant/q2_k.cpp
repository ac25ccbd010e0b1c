#include "quant/q2_k.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q2_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    const int q = b.q[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)) & 3;
    const float scale = f16_to_f32(b.d) * static_cast<float>(b.scales[j / 16] & 15);
    return scale * static_cast<float>(q) - f16_to_f32(b.m) * static_cast<float>(b.scales[j / 16] >> 4);
  });
}

}  // namespace bitnet::quant::q2_k
