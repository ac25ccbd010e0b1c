// PTQ1_0, of Prism's fork: codes in base 3 (quant/base3.h), 128 to a block of 28 bytes. 16 bytes hold
// elements 0 to 79, the first digits of all 16 before the second ones; 8 bytes hold elements 80 to 119
// likewise; 2 bytes with four digits each hold the rest. Then an f16 scale d; value = (code - 1) d.
#pragma once

#include "quant/coded.h"

namespace bitnet::quant::ptq1_0 {

extern const CodedType kType;

}  // namespace bitnet::quant::ptq1_0
