// QK256: codes of 2 bits in sequence, element j of a block of 256 in byte j / 4 at bits 2 (j % 4); a row
// takes ceil(cols / 256) blocks of 64 bytes, or of 66 where each ends in an f16 scale. What the codes stand
// for is said beside them: nothing in them tells, nor this order from that of I2_S. Of the codebook -1, 0, +1
// the code 3 stands for nothing.
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::qk256 {

extern const CodedType kTernary;
extern const CodedType kFourLevel;
extern const CodedType kThirds;
extern const CodedType kScaledTernary;
extern const CodedType kScaledFourLevel;
extern const CodedType kScaledThirds;

}  // namespace bitnet::quant::qk256
