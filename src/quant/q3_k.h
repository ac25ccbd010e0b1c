// Q3_K: 256 elements of 3 bits share an f16 scale, and every 16 of them 6 bits that multiply it.
//
// Element 32 * k + l of a half h of 128, k = 0..3 and l = 0..31: bits 2k, 2k + 1 of byte 32 * h + l of q, and
// above them bit 4 * h + k of byte l of high. value = d * (scale - 32) * (q - 4), which a float holds
// exactly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q3_k {

struct Block {
  static constexpr std::size_t kElements = 256;
  std::uint8_t high[kElements / 8];
  std::uint8_t q[kElements / 4];
  std::uint8_t scales[12];
  std::uint16_t d;  // f16
};
static_assert(sizeof(Block) == 110);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q3_k
}  // namespace bitnet::quant
