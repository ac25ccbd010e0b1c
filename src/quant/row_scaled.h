// Ternary types whose rows have one scale each, beside their codes: those of ik_llama.cpp (its ggml-common.h
// and iqk_quantize.cpp). Nothing multiplies them: at loading they become I2_S, or blocks with scales.
//
//   IQ2_BN      a row is its scale, f32, and blocks of 64 elements in 16 bytes: element j in byte j % 16 at
//               bits 2 (j / 16). Code 0 is -1, 1 is 0, 2 is +1; 3 never occurs
//   IQ2_BN_R4   the same of four rows together: their four scales, then blocks of 64 columns in 64 bytes:
//               element j of row r in byte 16 (j / 16) + 4 r + j % 4 at bits 2 (j % 16 / 4)
//   IQ1_BN      a row is its scale, f16, and blocks of 64 elements in 13 bytes of base 3 (quant/base3.h),
//               whose first digit is their last element's: element 16 i + 5 k + j, k < 3, is digit 4 - j of
//               byte 3 i + k, and element 16 i + 15 digit 4 - i of byte 12
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bitnet::quant {

struct Matrix;

struct RowScaledType {
  static constexpr std::size_t kBlock = 64;  // elements
  static constexpr std::size_t kBlockWords = kBlock / 16;

  std::size_t scale_bytes;
  std::size_t block_bytes;
  std::size_t rows_together;  // a matrix has whole groups of so many
  float (*scale_of)(const Matrix& w, std::size_t row);
  // The codes of a block of a row, element j at bits 2 (j % 16) of word j / 16. words: [kBlockWords]
  void (*read_block)(const Matrix& w, std::size_t row, std::size_t block, std::uint32_t* words);

  // Those of all its blocks. words: [cols / 16]
  void read_row(const Matrix& w, std::size_t row, std::uint32_t* words) const;
  std::size_t row_bytes(std::size_t cols) const { return scale_bytes + cols / kBlock * block_bytes; }
};

extern const RowScaledType kIq2Bn;
extern const RowScaledType kIq2BnR4;
extern const RowScaledType kIq1Bn;

// TypeInfo::decode_row of these types.
void decode_row_scaled(const Matrix& w, std::size_t row, float* out);
// The first of rows [begin, end) with the code 3 or a scale that is not a finite number.
std::optional<std::size_t> find_bad_scaled_row(const Matrix& w, std::size_t begin, std::size_t end);

}  // namespace bitnet::quant
