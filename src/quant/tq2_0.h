// TQ2_0: codes of 2 bits, 256 to a block of 66 bytes: two halves of 32 bytes, each of 128 elements, of which
// element 32 l + m is in byte m at bits 2 l; then an f16 scale d. value = (code - 1) d, so -d, 0, d and 2 d.
// https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_tq2_0)
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::tq2_0 {

extern const CodedType kType;

}  // namespace bitnet::quant::tq2_0
