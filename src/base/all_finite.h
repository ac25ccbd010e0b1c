// Whether numbers are numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace bitnet {

// Without an early end, so that compilers make vectors of it: values are finite nearly always.
inline bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  bool finite = true;
  for (const float v : values) finite &= (std::bit_cast<std::uint32_t>(v) & kExponent) != kExponent;
  return finite;
}

}  // namespace bitnet
