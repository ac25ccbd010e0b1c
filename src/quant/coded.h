// Types whose elements are codes of one or two bits with a scale for each block of a row. Files hold them in
// many orders; kernels multiply one, that of quant/lanes.h, to which rows are copied from here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace bitnet::quant {

struct Matrix;

// What the codes stand for, times the block's scale.
enum class Codebook : std::uint8_t {
  ternary,     // -1, 0, +1, +2; a format that has no code 3 refuses it where it is checked
  binary,      // -1, +1: codes of one bit
  four_level,  // -2, -1, +1, +2
  thirds,      // -1, -1/3, +1/3, +1
};

// The values are numerators over a denominator.
std::array<std::int8_t, 4> numerators_of(Codebook codebook);
float denominator_of(Codebook codebook);

constexpr std::size_t bits_of(Codebook codebook) { return codebook == Codebook::binary ? 1 : 2; }

// Most elements that a file's type has in a block, and the words that their codes take.
inline constexpr std::size_t kMaxCodedBlock = 256;
inline constexpr std::size_t kMaxCodeWords = kMaxCodedBlock / 16;

// How a file holds such a type: a row is ceil(cols / block) blocks, and of the last one only what cols asks
// for counts.
struct CodedType {
  static constexpr std::size_t kNoScale = static_cast<std::size_t>(-1);

  Codebook codebook;
  std::uint8_t n_codes;     // of the codebook's that the format has: those from 0 on
  std::size_t block;        // elements, a multiple of 32
  std::size_t block_bytes;  // scale included
  std::size_t scale_at;     // of the f16 scale in the block, or kNoScale: it is 1
  // The codes of a block in order: element j at bits 2 (j % 16) of word j / 16; of one bit, at bit j % 32 of
  // word j / 32.
  void (*read_codes)(const std::byte* block, std::uint32_t* words);
  // The reverse, of codes below n_codes. The scale is not touched.
  void (*write_codes)(const std::uint32_t* words, std::byte* block);

  std::size_t blocks_in(std::size_t cols) const { return (cols + block - 1) / block; }
  std::size_t row_bytes(std::size_t cols) const { return blocks_in(cols) * block_bytes; }
  std::uint16_t scale_of(const std::byte* data) const;  // f16
};

// The value of a row's elements, scales included: TypeInfo::decode_row of these types. w.type is one of them.
void decode_coded_row(const Matrix& w, std::size_t row, float* out);
// The first block of rows [begin, end), counted from the matrix's first, whose scale is not a finite number.
std::optional<std::size_t> find_bad_coded_scale(const Matrix& w, std::size_t begin, std::size_t end);
// The same for types of ternary codes that have no code 3: the first block with that, or such a scale.
std::optional<std::size_t> find_bad_coded_block(const Matrix& w, std::size_t begin, std::size_t end);

}  // namespace bitnet::quant
