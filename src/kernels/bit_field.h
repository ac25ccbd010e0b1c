// Where a part of a code lies in the bytes of a block.
#pragma once

#include <cstdint>

namespace bitnet::kernels {

// n bits of a byte, from bit `from` on, that belong at bit `to` of a code.
struct BitField {
  int from = 0;
  int n = 0;
  int to = 0;

  // Its bits in the code.
  constexpr std::int8_t mask() const { return static_cast<std::int8_t>(((1 << n) - 1) << to); }
  constexpr int of(std::uint8_t byte) const { return (byte >> from & ((1 << n) - 1)) << to; }
};

}  // namespace bitnet::kernels
