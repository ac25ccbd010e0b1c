// Q5_K: Q4_K with a fifth bit: of element 32 * k + l, l = 0..31, bit k of byte l of high.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q5_k {

struct Block {
  static constexpr std::size_t kElements = 256;
  std::uint16_t d;  // f16
  std::uint16_t m;  // f16
  std::uint8_t scales[12];
  std::uint8_t high[kElements / 8];
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 176);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace q5_k
}  // namespace bitnet::quant
