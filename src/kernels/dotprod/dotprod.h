// The backend for processors with SDOT (FEAT_DotProd, in most from Armv8.2 on).
#pragma once

#include "kernels/kernels.h"

namespace bitnet::kernels::dotprod {

const Kernels& table();

}  // namespace bitnet::kernels::dotprod
