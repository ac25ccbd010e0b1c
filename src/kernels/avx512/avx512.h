// The backend for processors with AVX-512 F, BW, VL and VNNI.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::avx512 {

const Kernels& table();

}  // namespace bitnet::kernels::avx512
