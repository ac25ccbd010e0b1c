// A ternary matrix by columns: a column is one run of bytes, so that columns whose input is zero need not be
// read.
//
// A column is made of lines of 64 bytes with 256 rows each; codes past the last row are 0. Row r of a line,
// r = 64 f + 16 m + i with i < 16, stands at bits 2 f of byte 16 (i / 4) + 4 m + i % 4. When the bytes of
// four columns are interleaved (unpacked twice within 128 bits), each of four vectors m then holds in its
// 32-bit lane i, at bits 2 f of every byte, the four columns' codes of one row, rows ascending with the
// lanes.
#pragma once

#include <cstddef>

#include "quant/tensor_type.h"

namespace bitnet::quant {

struct Columns {
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kLineRows = 256;
  static constexpr std::size_t kQuarterRows = kLineRows / 4;
  // The byte of a line with row r of each quarter; and the row in byte r, for it is its own inverse.
  static constexpr std::size_t byte_of(std::size_t r) { return r % 16 / 4 * 16 + r / 16 * 4 + r % 4; }

  const std::byte* data = nullptr;  // [cols, column_bytes]
  std::size_t rows = 0;
  std::size_t cols = 0;

  constexpr std::size_t lines() const { return (rows + kLineRows - 1) / kLineRows; }
  constexpr std::size_t column_bytes() const { return lines() * kLineBytes; }
  constexpr std::size_t n_bytes() const { return cols * column_bytes(); }
};

// Copies columns [begin, end), whole groups of I2_S, of an I2_S matrix to `to`, where the matrix's first
// column has its place.
void copy_to_columns(const Matrix& from, std::size_t begin, std::size_t end, std::byte* to);

}  // namespace bitnet::quant
