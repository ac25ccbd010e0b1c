// Codes to floats.
#pragma once

#include <cstddef>

#include "quant/tensor_type.h"

namespace bitnet::kernels::neon {

// See Kernels::decode_ternary.
void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out);

}  // namespace bitnet::kernels::neon
