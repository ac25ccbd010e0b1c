// I2_S codes as other builds of Microsoft's tools pack them, brought to the order of x86 (i2_s.h). The bytes
// after the codes are the same in all of them.
//
//   arm     groups of 64 elements in 16 bytes: element j in byte j % 16 at bits 6 - 2 * (j / 16)
//   rows4   element (r, c) in byte (r / 4) * cols + c at bits 6 - 2 * (r % 4): a column of four rows
//
// Source: quantize_i2_s of https://github.com/microsoft/BitNet, src/ggml-bitnet-mad.cpp, as built with
// __ARM_NEON, and without ACT_PARALLEL.
#pragma once

#include <cstddef>

namespace bitnet::quant::i2_s {

// n_bytes: a multiple of 32.
void arm_to_x86(const std::byte* arm, std::size_t n_bytes, std::byte* x86);

// Four rows of cols elements, a multiple of 128: cols bytes of each.
void rows4_to_x86(const std::byte* rows4, std::size_t cols, std::byte* x86);

}  // namespace bitnet::quant::i2_s
