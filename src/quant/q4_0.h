// Q4_0: 32 elements share an f16 scale; element j < 16 is the low half of byte j, element j + 16 its high
// half. value = d * (q - 8), which a float holds exactly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q4_0 {

struct Block {
  static constexpr std::size_t kElements = 32;
  std::uint16_t d;  // f16
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 18);

void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);

}  // namespace q4_0
}  // namespace bitnet::quant
