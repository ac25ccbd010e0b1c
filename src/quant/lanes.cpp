#include "quant/lanes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/half.h"
#include "quant/tensor_type.h"

namespace bitnet::quant::lanes {
namespace {

constexpr std::uint16_t kOne = 0x3C00;  // as f16

// Exchanges the fields that `mask` marks with those `shift` bits above them.
constexpr std::uint32_t swap_fields(std::uint32_t word, std::uint32_t mask, unsigned shift) {
  const std::uint32_t differing = (word >> shift ^ word) & mask;
  return word ^ differing ^ differing << shift;
}

// From the order of the columns (4 a + b at bits 2 (4 a + b)) to that of a lane (4 k + j at bits 2 (4 j +
// k)): the four by four codes transposed.
constexpr std::uint32_t transpose_4_by_4(std::uint32_t word) {
  word = swap_fields(word, 0x00CC00CC, 6);   // within each two by two
  return swap_fields(word, 0x0000F0F0, 12);  // and these among themselves
}

// Bits in the order of 32 columns to that of a lane: column 4 k + j from bit 4 k + j to bit 8 j + k.
constexpr std::uint32_t gather_bits(std::uint32_t word) {
  std::uint32_t lane = 0;
  for (unsigned k = 0; k < 8; ++k) {
    for (unsigned j = 0; j < 4; ++j) lane |= (word >> (4 * k + j) & 1U) << (8 * j + k);
  }
  return lane;
}

static_assert(transpose_4_by_4(0b11) == 0b11 && transpose_4_by_4(0b11U << 2) == 0b11U << 8 &&
              transpose_4_by_4(0b11U << 8) == 0b11U << 2 && transpose_4_by_4(0b11U << 22) == 0b11U << 28);

// The same word of sixteen rows to a line.
void to_line(Codebook codebook, const std::uint32_t (&words)[kRows], std::byte* line) {
  std::uint32_t lanes[kRows];
  if (codebook == Codebook::binary) {
    for (std::size_t r = 0; r < kRows; ++r) lanes[r] = gather_bits(words[r]);
  } else {
    for (std::size_t r = 0; r < kRows; ++r) lanes[r] = transpose_4_by_4(words[r]);
  }
  std::memcpy(line, lanes, sizeof lanes);
}

}  // namespace

std::size_t n_bytes(const Matrix& w) { return groups_of(w.rows) * group_bytes(w.lanes, w.cols); }

std::size_t blocks_alike(const Matrix& from, std::size_t begin, std::size_t end, std::size_t most) {
  const CodedType& type = *info(from.type).coded;
  const std::size_t per_row = type.blocks_in(from.cols);
  std::size_t alike = std::bit_floor(most);
  for (std::size_t row = begin; row < end && alike > 1; ++row) {
    const std::byte* data = from.data + row * type.row_bytes(from.cols);
    std::uint16_t last = type.scale_of(data);
    for (std::size_t i = 1; i < per_row; ++i) {
      data += type.block_bytes;
      const std::uint16_t scale = type.scale_of(data);
      while (scale != last && i % alike != 0) alike /= 2;
      last = scale;
    }
  }
  return alike;
}

std::optional<std::uint16_t> scale_of_rows(const Matrix& from) {
  const CodedType& type = *info(from.type).coded;
  const std::uint16_t first = type.scale_of(from.data);
  for (std::size_t row = 1; row < from.rows; ++row) {
    if (type.scale_of(from.data + row * type.row_bytes(from.cols)) != first) return std::nullopt;
  }
  return first;
}

void copy_group(const Matrix& from, std::size_t group, const Matrix& to, std::byte* data) {
  const CodedType& type = *info(from.type).coded;
  assert(to.lanes.block % type.block == 0 && to.rows == from.rows && to.cols == from.cols);
  std::byte* const scales = data + group * group_bytes(to.lanes, to.cols);
  std::byte* const lines = scales + scale_bytes(to.lanes, to.cols);
  std::memset(scales, 0, scale_bytes(to.lanes, to.cols));
  const std::size_t columns = columns_of_line(type.codebook);
  const std::size_t n_rows = std::min(kRows, from.rows - group * kRows);
  const std::size_t row_bytes = type.row_bytes(from.cols);
  const std::byte* first_row = from.data + group * kRows * row_bytes;
  std::uint32_t words[kMaxCodeWords][kRows] = {};  // those of rows past the last stay 0
  for (std::size_t begin = 0, at = 0; begin < from.cols; begin += type.block, at += type.block_bytes) {
    const bool has_scale = begin % to.lanes.block == 0;
    for (std::size_t r = 0; r < n_rows; ++r) {
      const std::byte* block = first_row + r * row_bytes + at;
      std::array<std::uint32_t, kMaxCodeWords> codes;
      type.read_codes(block, codes.data());
      for (std::size_t i = 0; i < type.block / columns; ++i) words[i][r] = codes[i];
      if (!has_scale) continue;
      const std::uint16_t d = to.lanes.in_units ? kOne : type.scale_of(block);
      std::memcpy(scales + (begin / to.lanes.block * kRows + r) * sizeof d, &d, sizeof d);
    }
    std::byte* line = lines + begin / columns * kLineBytes;
    const std::size_t n_lines = std::min(type.block, from.cols - begin) / columns;
    for (std::size_t i = 0; i < n_lines; ++i, line += kLineBytes) to_line(type.codebook, words[i], line);
  }
}

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const std::byte* scales = w.data + row / kRows * group_bytes(w.lanes, w.cols);
  const std::byte* lines = scales + scale_bytes(w.lanes, w.cols);
  const auto numerators = numerators_of(w.lanes.codebook);
  const std::size_t columns = columns_of_line(w.lanes.codebook);
  const unsigned bits = static_cast<unsigned>(bits_of(w.lanes.codebook));
  const std::size_t r = row % kRows;
  for (std::size_t i = 0; i < w.cols; ++i) {
    std::uint16_t d;
    std::memcpy(&d, scales + (i / w.lanes.block * kRows + r) * sizeof d, sizeof d);
    std::uint32_t lane;
    std::memcpy(&lane, lines + i / columns * kLineBytes + r * sizeof lane, sizeof lane);
    const auto in_line = static_cast<unsigned>(i % columns);
    const std::uint32_t code = lane >> (8 * (in_line % 4) + in_line / 4 * bits) & ((1U << bits) - 1);
    out[i] = static_cast<float>(numerators[code]) * f16_to_f32(d) * w.scale;
  }
}

}  // namespace bitnet::quant::lanes
