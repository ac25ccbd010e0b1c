// What the types share whose rows are sequences of blocks, each a struct with an f16 scale d and kElements,
// and with an f16 m where there are minima.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/half.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {

template <typename Block>
const Block* row_blocks(const Matrix& w, std::size_t row) {
  return reinterpret_cast<const Block*>(w.data) + row * (w.cols / Block::kElements);
}

// The values of a row: what value(block, j) gives for element j of each block, times the matrix's scale.
// out: [cols]
template <typename Block, typename Value>
void decode_blocks(const Matrix& w, std::size_t row, float* out, Value value) {
  const Block* blocks = row_blocks<Block>(w, row);
  for (std::size_t i = 0; i < w.cols; ++i)
    out[i] = value(blocks[i / Block::kElements], i % Block::kElements) * w.scale;
}

// Of 32 elements in 16 bytes: the low halves are the first 16.
inline int half_of(const std::uint8_t (&bytes)[16], std::size_t j) {
  return bytes[j % 16] >> (j < 16 ? 0 : 4) & 15;
}
// The same with the fifth bits of all beside them, lowest byte first.
inline int five_bits_of(const std::uint8_t (&bytes)[16], const std::uint8_t (&high)[4], std::size_t j) {
  return half_of(bytes, j) | (high[j / 8] >> (j % 8) & 1) << 4;
}

template <typename Block>
std::uint64_t n_bytes_of(std::uint64_t rows, std::uint64_t cols) {
  return rows * cols / Block::kElements * sizeof(Block);
}

// The value of the largest magnitude, the first of them if there are several.
inline float extreme(std::span<const float> values) {
  float most = 0;
  // Beside it, since of fabs(v) > fabs(most) Clang 19 forgets the second fabs where it unrolls the loop.
  float magnitude = 0;
  for (const float v : values) {
    if (std::fabs(v) > magnitude) {
      magnitude = std::fabs(v);
      most = v;
    }
  }
  return most;
}

// The values of codes (quant/coded.h) in multiples of their scale.
struct Units {
  std::uint16_t d = 0;  // the scale, an f16; 0 where all values are

  // -2 to +2
  int of(float value) const { return d == 0 ? 0 : static_cast<int>(value / f16_to_f32(d)); }
};

// The scale of values that are -2, -1, 0, +1 and +2 times one, if there is one and it is an f16: a block of
// integers with such a scale then holds them exactly, whatever its range is.
inline std::optional<Units> find_units(std::span<const float> values) {
  const auto other = std::ranges::find_if(values, [](float v) { return v != 0; });
  if (other == values.end()) return Units{};
  const float magnitude = std::fabs(*other);
  for (const float scale : {magnitude, magnitude / 2}) {
    const std::uint16_t d = f32_to_f16(scale);
    if (!std::isfinite(scale) || f16_to_f32(d) != scale) continue;
    const bool are_multiples = std::ranges::all_of(
        values, [scale](float v) { return v == 0 || std::fabs(v) == scale || std::fabs(v) == 2 * scale; });
    if (are_multiples) return Units{d};
  }
  return std::nullopt;
}

// Writes rows of whole blocks; false as soon as `encode` is, of one block's values.
template <typename Block>
bool encode_blocks(const float* values, std::size_t cols, std::byte* out,
                   bool (*encode)(std::span<const float, Block::kElements> values, Block& block)) {
  for (std::size_t at = 0; at < cols; at += Block::kElements, out += sizeof(Block)) {
    Block block;
    if (!encode(std::span<const float, Block::kElements>(values + at, Block::kElements), block)) return false;
    std::memcpy(out, &block, sizeof block);
  }
  return true;
}

// The first block of rows [begin, end) whose scale, or that of its minima, is an infinity or a NaN. Memory is
// what it waits for, as in the check of I2_S.
template <typename Block>
std::optional<std::size_t> find_bad_scale(const Matrix& w, std::size_t begin, std::size_t end) {
  constexpr std::size_t kPrefetchBytes = 4096;
  constexpr unsigned kExponent = 0x7C00;
  const std::size_t per_row = w.cols / Block::kElements;
  const auto is_bad = [](const Block& b) {
    bool bad = (b.d & kExponent) == kExponent;
    if constexpr (requires { b.m; }) bad |= (b.m & kExponent) == kExponent;
    return bad;
  };
  for (std::size_t row = begin; row < end; ++row) {
    const Block* blocks = row_blocks<Block>(w, row);
    bool any = false;
    for (std::size_t i = 0; i < per_row; ++i) {
      __builtin_prefetch(reinterpret_cast<const char*>(blocks + i) + kPrefetchBytes);
      any |= is_bad(blocks[i]);
    }
    if (!any) continue;
    const auto at = static_cast<std::size_t>(std::find_if(blocks, blocks + per_row, is_bad) - blocks);
    return row * per_row + at;
  }
  return std::nullopt;
}

}  // namespace bitnet::quant
