// The backend for processors with AVX-VNNI beside AVX2: its own ternary products, everything else as there.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::avxvnni {

const Kernels& table();

}  // namespace bitnet::kernels::avxvnni
