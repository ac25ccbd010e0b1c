// 16-bit floats in software: exact in one direction, round to nearest even in the other. These define what
// every backend's conversion instructions must give (F16C gives the same bits).
#pragma once

#include <bit>
#include <cstdint>

namespace bitnet {

// IEEE binary16 -> binary32, exact. A signalling NaN becomes quiet, as F16C makes it.
constexpr float f16_to_f32(std::uint16_t h) {
  // Without a branch, so that loops over it are turned into vectors.
  const std::uint32_t magnitude = static_cast<std::uint32_t>(h & 0x7FFFU) << 13;
  const std::uint32_t normal = magnitude + (112U << 23);
  // Of an exponent of 0, for mantissa * 2^-24: normal with the next exponent, less what that added.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude + (113U << 23)) - 0x1p-14F);
  // Infinity, and NaN as a quiet one.
  const std::uint32_t large = magnitude | 0x7F800000U | (magnitude > 0xF800000U ? 0x400000U : 0U);
  const std::uint32_t finite = magnitude < 0x800000U ? small : normal;
  const std::uint32_t bits = magnitude < 0xF800000U ? finite : large;
  return std::bit_cast<float>(bits | static_cast<std::uint32_t>(h & 0x8000U) << 16);
}

// binary32 -> binary16, round to nearest even; overflow gives infinity, NaN stays NaN (quiet).
constexpr std::uint16_t f32_to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {  // NaN: keep the top of the payload
    return static_cast<std::uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  }
  if (magnitude >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // >= 65536, or infinity
  if (magnitude <
      0x38800000U) {  // below the smallest normal: adding 0.5 aligns the mantissa and rounds to even
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    const std::uint32_t rounded = std::bit_cast<std::uint32_t>(aligned) - 0x3F000000U;
    return static_cast<std::uint16_t>(sign | rounded);
  }
  const std::uint32_t odd = (magnitude >> 13) & 1U;
  const std::uint32_t rounded = (magnitude - 0x38000000U + 0xFFFU + odd) >> 13;
  return static_cast<std::uint16_t>(
      sign | rounded);  // a carry out of the mantissa gives 65520.. -> infinity, as it must
}

// bfloat16 -> binary32, exact.
constexpr float bf16_to_f32(std::uint16_t h) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

// binary32 -> bfloat16, round to nearest even; overflow gives infinity, NaN stays NaN (quiet).
constexpr std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  const std::uint32_t odd = (bits >> 16) & 1U;
  return static_cast<std::uint16_t>((bits + 0x7FFFU + odd) >> 16);
}

}  // namespace bitnet
