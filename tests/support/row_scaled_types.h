// Weights in the types of ik_llama.cpp whose rows have a scale each, packed by the words of the formats
// alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet::test {

inline constexpr std::uint32_t kIq1Bn = 134;
inline constexpr std::uint32_t kIq2Bn = 135;
inline constexpr std::uint32_t kIq2BnR4 = 335;

// trits: -1, 0 and 1, row by row; a scale for each row. IQ1_BN keeps the f16 nearest to it.
std::vector<std::byte> pack_row_scaled(std::uint32_t type, std::span<const std::int8_t> trits,
                                       std::span<const float> scales);

}  // namespace bitnet::test
