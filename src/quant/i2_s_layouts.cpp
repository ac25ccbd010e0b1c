#include "quant/i2_s_layouts.h"

#include "quant/i2_s.h"

namespace bitnet::quant::i2_s {

// Plain loops over neighbouring bytes, which compilers turn into vector instructions.

void arm_to_x86(const std::byte* arm, std::size_t n_bytes, std::byte* x86) {
  constexpr std::size_t kHalf = kGroupBytes / 2;  // a group of the ARM layout
  constexpr std::byte k6{0xC0};
  constexpr std::byte k4{0x30};
  constexpr std::byte k2{0x0C};
  constexpr std::byte k0{0x03};
  for (std::size_t at = 0; at < n_bytes; at += kGroupBytes) {
    const std::byte* const first = arm + at;        // elements 0 to 63
    const std::byte* const second = first + kHalf;  // and the rest
    std::byte* const out = x86 + at;
    for (std::size_t j = 0; j < kHalf; ++j) {
      out[j] = (first[j] & k6) | ((first[j] & k2) << 2) | ((second[j] & k6) >> 4) | ((second[j] & k2) >> 2);
      out[j + kHalf] =
          ((first[j] & k4) << 2) | ((first[j] & k0) << 4) | ((second[j] & k4) >> 2) | (second[j] & k0);
    }
  }
}

void rows4_to_x86(const std::byte* rows4, std::size_t cols, std::byte* x86) {
  constexpr std::byte kCode{3};
  const std::size_t row_bytes = cols / 4;
  for (std::size_t group = 0; group * kGroup < cols; ++group) {
    const std::byte* const in = rows4 + group * kGroup;
    std::byte* const out = x86 + group * kGroupBytes;
    for (std::size_t row = 0; row < 4; ++row) {
      const std::size_t shift = 6 - 2 * row;
      for (std::size_t j = 0; j < kGroupBytes; ++j) {
        std::byte packed{};
        for (std::size_t i = 0; i < 4; ++i) {
          packed |= ((in[i * kGroupBytes + j] >> shift) & kCode) << (6 - 2 * i);
        }
        out[row * row_bytes + j] = packed;
      }
    }
  }
}

}  // namespace bitnet::quant::i2_s
