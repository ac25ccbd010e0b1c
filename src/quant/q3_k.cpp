#include "quant/q3_k.h"

#include "base/half.h"
#include "quant/block_format.h"
#include "quant/k_scales.h"

namespace bitnet::quant::q3_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    const int low = b.q[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)) & 3;
    const int high = b.high[j % 32] >> (j / 32) & 1;
    const float scale = f16_to_f32(b.d) * static_cast<float>(signed_scales(b.scales)[j / 16]);
    return scale * static_cast<float>((low | high << 2) - 4);
  });
}

}  // namespace bitnet::quant::q3_k
