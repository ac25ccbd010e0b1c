// IQ4_NL: 32 elements share an f16 scale; the code of element j < 16 is the low half of byte j, that of
// element j + 16 its high half. value = d * kSteps[code], which a float holds exactly.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace iq4_nl {

// ggml's kvalues_iq4nl: close around zero, and wider apart outwards.
inline constexpr std::array<std::int8_t, 16> kSteps{-127, -104, -83, -65, -49, -35, -22, -10,
                                                    1,    13,   25,  38,  53,  69,  89,  113};

struct Block {
  static constexpr std::size_t kElements = 32;
  std::uint16_t d;  // f16
  std::uint8_t q[kElements / 2];
};
static_assert(sizeof(Block) == 18);

void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace iq4_nl
}  // namespace bitnet::quant
