// Q6_K: 256 elements of 6 bits share an f16 scale, and every 16 of them an int8 that multiplies it.
//
// A block is two halves of 128 elements, each with 64 bytes of ql (the low 4 bits) and 32 of qh (the high 2).
// Element 32 * k + l of a half, k = 0..3 and l = 0..31: the low half of ql[l] for k = 0, of ql[l + 32] for
// k = 1, the high half of ql[l] for k = 2, of ql[l + 32] for k = 3; and bits 2k, 2k + 1 of qh[l].
// value = (d * scale) * (q - 32): 11, 7 and 5 significant bits, so a float holds it exactly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace q6_k {

struct Block {
  static constexpr std::size_t kElements = 256;
  std::uint8_t ql[kElements / 2];
  std::uint8_t qh[kElements / 4];
  std::int8_t scale[kElements / 16];
  std::uint16_t d;  // f16
};
static_assert(sizeof(Block) == 210);

void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);

}  // namespace q6_k
}  // namespace bitnet::quant
