// Codes of one or two bits in the order in which they are multiplied: sixteen rows side by side, so that a
// vector of 32-bit lanes works on sixteen rows and no sum is ever folded across lanes.
//
// Rows are taken in groups of 16; those past the last have scales of 0. A group holds its scales, f16, as
// [blocks][16], filled up to whole cache lines, then its codes in lines of 64 bytes. A line covers 16 columns
// (32 of codes of one bit): its 32-bit word r belongs to row r, and byte j of the word holds column 4 k + j
// at bits 2 k (at bit k), so that shifting all words alike and masking leaves the codes of four neighbouring
// columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "quant/coded.h"

namespace bitnet::quant {

// What a matrix of TensorType::lanes must tell about its codes.
struct LaneCoding {
  Codebook codebook = Codebook::ternary;
  std::uint32_t block = 0;  // columns under one scale: a multiple of 32; whole rows where it is >= cols
  bool in_units = false;    // all scales are 1, and blocks whole rows: one scale for the matrix, its own
};

namespace lanes {

inline constexpr std::size_t kRows = 16;
inline constexpr std::size_t kLineBytes = 64;

constexpr std::size_t columns_of_line(Codebook codebook) { return 32 / bits_of(codebook); }
constexpr std::size_t blocks_of(const LaneCoding& coding, std::size_t cols) {
  return (cols + coding.block - 1) / coding.block;
}
constexpr std::size_t scale_bytes(const LaneCoding& coding, std::size_t cols) {
  return (blocks_of(coding, cols) * kRows * sizeof(std::uint16_t) + kLineBytes - 1) / kLineBytes * kLineBytes;
}
constexpr std::size_t group_bytes(const LaneCoding& coding, std::size_t cols) {
  return scale_bytes(coding, cols) + cols / columns_of_line(coding.codebook) * kLineBytes;
}
constexpr std::size_t groups_of(std::size_t rows) { return (rows + kRows - 1) / kRows; }

// Bytes of a matrix of this type.
std::size_t n_bytes(const Matrix& w);

// For how many neighbouring blocks of each of the rows [begin, end), counted in aligned stretches of a power
// of two, the scale is the same; at most `most`. The rows of `from`, a coded type, then need no more scales
// than that.
std::size_t blocks_alike(const Matrix& from, std::size_t begin, std::size_t end, std::size_t most);

// The f16 scale that all blocks of all rows have; nullopt where they differ. Of rows whose own blocks are
// alike.
std::optional<std::uint16_t> scale_of_rows(const Matrix& from);

// Copies rows 16 group, ... of `from`, a coded type, to that group of `to`: of the same shape, its block a
// multiple of from's by what blocks_alike allows. data: where the groups of `to` begin.
void copy_group(const Matrix& from, std::size_t group, const Matrix& to, std::byte* data);

// TypeInfo::decode_row.
void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace lanes
}  // namespace bitnet::quant
