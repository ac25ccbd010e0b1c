// Ternary products that leave out what cannot count: rows that nobody reads, and columns whose input is zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/columns.h"

namespace bitnet::kernels {

// Columns are taken in groups of so many, for which sums are loaded and stored once; a list is filled up with
// any column and inputs of zero.
inline constexpr std::size_t kColumnGroup = 16;

// Some columns of a matrix and what they are multiplied with.
struct ColumnList {
  const std::uint32_t* columns;  // [n]
  const std::int8_t* q;          // [n_tokens, stride]; q[t * stride + i] belongs to columns[i]
  std::size_t n;                 // a multiple of kColumnGroup
  std::size_t stride;            // in elements
  std::size_t n_tokens;
};

// Sums are kept as the codes lie in their bytes: those of rows 64 f to 64 f + 63 of a line are 4^f times too
// large. A sum is at most 64 * 2 * 128 * cols in magnitude, which has to fit 32 bits.
inline constexpr std::size_t kMostColumns = (std::size_t{1} << 17) - 1;
constexpr std::size_t column_sums(const quant::Columns& w) { return w.lines() * quant::Columns::kLineRows; }
constexpr unsigned shift_of_column_sum(std::size_t row) {
  return static_cast<unsigned>(row % quant::Columns::kLineRows / quant::Columns::kQuarterRows * 2);
}

}  // namespace bitnet::kernels
