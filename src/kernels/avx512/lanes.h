// Products of codes in lanes, 512 bits at a time.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::avx512 {

// See Kernels::matmul_lanes.
void matmul_lanes(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                  const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y);

}  // namespace bitnet::kernels::avx512
