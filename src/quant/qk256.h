// QK256: 2-bit codes in sequence, 256 to a block, and a codebook that says what they stand for.
//
// Element j of a block is in byte j / 4 at bits 2 * (j % 4), lowest first; a block has 64 bytes and a row
// ceil(cols / 256) of them. The values are the codebook's, times the block's scale where there are scales.
// Nothing in the codes tells which codebook is meant, nor this order from that of I2_S: only metadata can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitnet::quant::qk256 {

inline constexpr std::size_t kBlock = 256;  // elements
inline constexpr std::size_t kBlockBytes = 64;

enum class Codebook : std::uint8_t {
  ternary,     // -1, 0, +1; code 3 never occurs
  four_level,  // -2, -1, +1, +2
  thirds,      // -1, -1/3, +1/3, +1
};

std::span<const float, 4> values_of(Codebook codebook);

struct Row {
  const std::uint8_t* codes = nullptr;  // [ceil(cols / 256), 64]
  const float* scales = nullptr;        // [ceil(cols / 256)]; nullptr: all are 1
  std::size_t cols = 0;
  Codebook codebook = Codebook::ternary;
};

// The reference that kernels are tested against. out: [cols]
void decode_row(const Row& row, float* out);

}  // namespace bitnet::quant::qk256
