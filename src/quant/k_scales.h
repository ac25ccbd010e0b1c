// The 6-bit numbers by which the K types' blocks multiply their scales, out of their 12 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/half.h"

namespace bitnet::quant {

using PackedScales = std::uint8_t[12];

// Of Q4_K and Q5_K: eight scales, then eight minima. The first four of each are the low six bits of a byte;
// of the others four bits are halves of the last four bytes, and the upper two are what is left of the first
// eight.
inline std::array<std::uint8_t, 16> scales_and_minima(const PackedScales& packed) {
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    out[i] = packed[i] & 63;
    out[8 + i] = packed[4 + i] & 63;
    out[4 + i] = static_cast<std::uint8_t>((packed[8 + i] & 15) | packed[i] >> 6 << 4);
    out[12 + i] = static_cast<std::uint8_t>(packed[8 + i] >> 4 | packed[4 + i] >> 6 << 4);
  }
  return out;
}

// Of element j of a block of these: its low four bits, and the value of a code.
template <typename Block>
int low_bits_of(const Block& b, std::size_t j) {
  return b.q[32 * (j / 64) + j % 32] >> (j % 64 < 32 ? 0 : 4) & 15;
}
template <typename Block>
float value_of(const Block& b, std::size_t j, int code) {
  const auto numbers = scales_and_minima(b.scales);
  const float scale = f16_to_f32(b.d) * static_cast<float>(numbers[j / 32]);
  return scale * static_cast<float>(code) - f16_to_f32(b.m) * static_cast<float>(numbers[8 + j / 32]);
}

// Of Q3_K: sixteen, less the 32 that stands for 0. Their low four bits are the low halves of eight bytes,
// then the high ones; the upper two are two bits each of the last four bytes, the lowest for the first four.
inline std::array<std::int8_t, 16> signed_scales(const PackedScales& packed) {
  std::array<std::int8_t, 16> out{};
  for (std::size_t i = 0; i < 16; ++i) {
    const int low = packed[i % 8] >> (i < 8 ? 0 : 4) & 15;
    const int high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
    out[i] = static_cast<std::int8_t>((low | high << 4) - 32);
  }
  return out;
}

}  // namespace bitnet::quant
