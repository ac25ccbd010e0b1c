// Q2_K: 256 elements of 2 bits; every 16 of them have a scale (the low half of a byte of scales) and a
// minimum (its high half), multiplied by two f16 of the block.
//
// Element 32 * k + l of a half of 128, k = 0..3 and l = 0..31: bits 2k, 2k + 1 of byte l of the half's 32.
// value = (d * scale) * q - m * minimum: the products are exact in a float, their difference is rounded once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q2_k {

struct Block {
  static constexpr std::size_t kElements = 256;
  std::uint8_t scales[kElements / 16];
  std::uint8_t q[kElements / 4];
  std::uint16_t d;  // f16
  std::uint16_t m;  // f16
};
static_assert(sizeof(Block) == 84);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q2_k
}  // namespace bitnet::quant
