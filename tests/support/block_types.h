// Weights in the block types, packed by the words of the formats alone, with the values they stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/file_types.h"

namespace bitnet::test {

inline constexpr std::uint32_t kQ4_0 = 2;
inline constexpr std::uint32_t kQ4_1 = 3;
inline constexpr std::uint32_t kQ5_0 = 6;
inline constexpr std::uint32_t kQ5_1 = 7;
inline constexpr std::uint32_t kQ8_0 = 8;
inline constexpr std::uint32_t kQ2_K = 10;
inline constexpr std::uint32_t kQ3_K = 11;
inline constexpr std::uint32_t kQ4_K = 12;
inline constexpr std::uint32_t kQ5_K = 13;
inline constexpr std::uint32_t kQ6_K = 14;
inline constexpr std::uint32_t kIQ4_NL = 20;
inline constexpr std::uint32_t kTQ1_0 = 34;
inline constexpr std::uint32_t kTQ2_0 = 35;
inline constexpr std::uint32_t kQ1_0 = 41;
inline constexpr std::uint32_t kQ2_0 = 42;  // in blocks of 64; those of 128 are kPQ2_0's
inline constexpr std::uint32_t kPQ2_0 = 142;
inline constexpr std::uint32_t kPTQ1_0 = 143;

struct PackedBlocks {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

// n random elements (whole blocks) of the type with this ggml id: every code occurs, scales have either sign.
PackedBlocks random_blocks(std::uint32_t type, std::size_t n, unsigned seed);

// What ggml makes of values in Q4_0 or Q5_0 (whole blocks, each of one magnitude and zeros): the first that
// is not 0 becomes the lowest code, its opposite the highest, which is one step less.
std::vector<std::byte> round_as_ggml(std::uint32_t type, std::span<const float> values);

// Elements and bytes of a block, and where in it the f16 scale is, and the f16 that goes with its minima.
struct BlockLayout {
  std::size_t elements;
  std::size_t bytes;
  std::size_t scale_at;
  std::size_t minimum_at = 0;
};
BlockLayout layout_of(std::uint32_t type);

// What the library makes of a tensor of such blocks.
const quant::TypeInfo& block_type(std::uint32_t type);

}  // namespace bitnet::test
