// Q5_0: 32 elements of 5 bits share an f16 scale; the low 4 bits of element j < 16 are the low half of byte j
// of q, those of element j + 16 its high half, and the fifth is bit j of the 32 bits in high, lowest byte
// first. value = d * (q - 16), which a float holds exactly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q5_0 {

struct Block {
  static constexpr std::size_t kElements = 32;
  std::uint16_t d;  // f16
  std::uint8_t high[kElements / 8];
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 22);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q5_0
}  // namespace bitnet::quant
