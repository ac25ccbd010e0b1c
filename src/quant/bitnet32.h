// BitNet32-F16: codes of 2 bits in sequence, element j of a block of 32 in byte j / 4 at bits 2 (j % 4), then
// an f16 scale d: 10 bytes. value = (code - 1) d; the code 3 stands for nothing.
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::bitnet32 {

extern const CodedType kType;

}  // namespace bitnet::quant::bitnet32
