// The backend in plain C++: runs everywhere and specifies what every other backend computes.
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::scalar {

const Kernels& table();

}  // namespace bitnet::kernels::scalar
