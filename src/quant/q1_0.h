// Q1_0: codes of one bit in sequence, 128 to a block of 18 bytes: an f16 scale d, then element j at bit j % 8
// of byte j / 8; value = d where it is set, otherwise -d.
// https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_q1_0)
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::q1_0 {

extern const CodedType kType;

}  // namespace bitnet::quant::q1_0
