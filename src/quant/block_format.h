// What the types share whose rows are sequences of blocks, each a struct with an f16 scale d and kElements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "quant/tensor_type.h"

namespace bitnet::quant {

template <typename Block>
const Block* row_blocks(const Matrix& w, std::size_t row) {
  return reinterpret_cast<const Block*>(w.data) + row * (w.cols / Block::kElements);
}

template <typename Block>
std::uint64_t n_bytes_of(std::uint64_t rows, std::uint64_t cols) {
  return rows * cols / Block::kElements * sizeof(Block);
}

// The first block of rows [begin, end) whose scale is an infinity or a NaN. Memory is what it waits for, as
// in the check of I2_S.
template <typename Block>
std::optional<std::size_t> find_bad_scale(const Matrix& w, std::size_t begin, std::size_t end) {
  constexpr std::size_t kPrefetchBytes = 4096;
  constexpr unsigned kExponent = 0x7C00;
  const std::size_t per_row = w.cols / Block::kElements;
  const auto is_bad = [](const Block& b) { return (b.d & kExponent) == kExponent; };
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
