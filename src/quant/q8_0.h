// Q8_0: 32 elements share an f16 scale; each is an int8. value = d * q, which a float holds exactly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q8_0 {

struct Block {
  static constexpr std::size_t kElements = 32;
  std::uint16_t d;  // f16
  std::int8_t q[kElements];
};
static_assert(sizeof(Block) == 34);

void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);

}  // namespace q8_0
}  // namespace bitnet::quant
