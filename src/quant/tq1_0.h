// TQ1_0: codes in base 3 (quant/base3.h), 256 to a block of 54 bytes. 32 bytes hold elements 0 to 159, the
// first digits of all 32 before the second ones; 16 bytes hold elements 160 to 239 likewise; 4 bytes with
// four digits each hold the rest. Then an f16 scale d; value = (code - 1) d.
// https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_tq1_0)
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::tq1_0 {

extern const CodedType kType;

}  // namespace bitnet::quant::tq1_0
