#include "quant/q5_k.h"

#include "quant/block_format.h"
#include "quant/k_scales.h"

namespace bitnet::quant::q5_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    return value_of(b, j, low_bits_of(b, j) | (b.high[j % 32] >> (j / 32) & 1) << 4);
  });
}

}  // namespace bitnet::quant::q5_k
