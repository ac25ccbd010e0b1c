// The backend for processors with SMMLA (FEAT_I8MM, in most from Armv8.6 on).
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::i8mm {

const Kernels& table();

}  // namespace bitnet::kernels::i8mm
