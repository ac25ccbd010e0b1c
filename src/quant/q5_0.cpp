#include "quant/q5_0.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q5_0 {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    return f16_to_f32(b.d) * static_cast<float>(five_bits_of(b.q, b.high, j) - 16);
  });
}

}  // namespace bitnet::quant::q5_0
