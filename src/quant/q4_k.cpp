#include "quant/q4_k.h"

#include "quant/block_format.h"
#include "quant/k_scales.h"

namespace bitnet::quant::q4_k {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out,
                       [](const Block& b, std::size_t j) { return value_of(b, j, low_bits_of(b, j)); });
}

}  // namespace bitnet::quant::q4_k
