// The backend for every 64-bit ARM processor.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::neon {

const Kernels& table();

}  // namespace bitnet::kernels::neon
