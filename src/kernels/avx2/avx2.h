// The backend for processors with AVX2, FMA and F16C.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::avx2 {

const Kernels& table();

}  // namespace bitnet::kernels::avx2
