// Q4_K: 256 elements of 4 bits; every 32 of them have a scale and a minimum of 6 bits (quant/k_scales.h),
// multiplied by two f16 of the block. llama-quantize stores the embedding of TQ1_0 and TQ2_0 files so.
//
// Elements 64 * k + l and 64 * k + 32 + l, l = 0..31: the low and the high half of byte 32 * k + l.
// value = (d * scale) * q - m * minimum: the products are exact in a float, their difference is rounded once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q4_k {

struct Block {
  static constexpr std::size_t kElements = 256;
  std::uint16_t d;  // f16
  std::uint16_t m;  // f16
  std::uint8_t scales[12];
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 144);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q4_k
}  // namespace bitnet::quant
