// Q2_0: 2-bit codes in sequence, element j of a block in byte j / 4 at bits 2 (j % 4), behind an f16 scale d;
// value = (code - 1) d, so -d, 0, d and 2 d. Two block lengths carry one id in files: 64 elements in 18 bytes
// (ggml) and 128 in 34 (Prism's fork, whose newer files say PQ2_0 by an id of its own).
// https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_q2_0)
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::q2_0 {

extern const CodedType kBlocksOf64;
extern const CodedType kBlocksOf128;

}  // namespace bitnet::quant::q2_0
