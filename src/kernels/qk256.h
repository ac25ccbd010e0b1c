// Rows of QK256 to floats, a block at a time.
#pragma once

#include "kernels/kernels.h"
#include "quant/qk256.h"

namespace bitnet::kernels {

// The same values, bit for bit, as quant::qk256::decode_row. out: [row.cols]
void decode_qk256_row(const Kernels& kernels, const quant::qk256::Row& row, float* out);

}  // namespace bitnet::kernels
