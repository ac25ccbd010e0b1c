// Q5_1: the codes of Q5_0 behind an f16 scale and an f16 minimum. value = d * q + m: the product is exact in
// a float, the sum rounded once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q5_1 {

struct Block {
  static constexpr std::size_t kElements = 32;
  std::uint16_t d;  // f16
  std::uint16_t m;  // f16
  std::uint8_t high[kElements / 8];
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 24);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q5_1
}  // namespace bitnet::quant
