// A row as codes and their scales, whatever type holds it: what ternary types are converted to one another
// by, without rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "quant/coded.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {

// Element j is the codebook's numerator over its denominator, times scales[j / block].
struct CodedRow {
  // Not binary: codes of one bit are those of ternary that stand for -1 and +1.
  Codebook codebook = Codebook::ternary;
  std::size_t cols = 0;
  std::size_t block = 0;  // elements under one scale: a multiple of 32, or cols
  // Element j at bits 2 (j % 16) of word j / 16; whole blocks of kMaxCodedBlock, zeros behind the last
  // element.
  std::vector<std::uint32_t> words;
  std::vector<float> scales;  // [n_blocks()]

  std::size_t n_blocks() const { return (cols + block - 1) / block; }
  // Makes room for a row of this shape, with all bits of its codes 0.
  void resize(std::size_t new_cols, std::size_t new_block);
};

// Whether rows of this type can be read and written so: I2_S and all types with a CodedType.
bool has_coded_rows(TensorType type);
// Whether they can be read so: those, and types with a RowScaledType.
bool reads_coded_rows(TensorType type);
// Bytes of a row of such a type; I2_S has a tail behind the last one (i2_s::write_tail).
std::size_t coded_row_bytes(TensorType type, std::size_t cols);

// Row `row` of w, with its scales multiplied by w.scale. false, and nothing read, where w has no coded rows,
// or where that product is not exact for every value: thirds with a w.scale other than 1.
bool read_coded_row(const Matrix& w, std::size_t row, CodedRow& out);

// The same from values, if the magnitudes of each `block` of them (a multiple of 32, or all) are 0 and one
// other number at most: it is the scale. false for any others. Zeros of either sign count as zero, and a
// block of zeros has the scale 0.
bool find_coded_row(std::span<const float> values, std::size_t block, CodedRow& out);

// Values of the row. out: [cols]
void decode_row(const CodedRow& row, float* out);

// How a row fits a type.
enum class CodedFit : std::uint8_t {
  exact,               // what is written stands for the same values; zeros may differ in sign
  rounded_scale,       // for other values, as scales were rounded to the nearest f16
  differing_scales,    // elements that share a scale in the type have different ones
  scale_out_of_range,  // a scale is no finite f16, or would be rounded to 0
  missing_code,        // the type has no code for a value
};
// "its elements that would share a scale have different ones": why it is not exact, of a tensor.
std::string_view reason_of(CodedFit fit);

// Writes the row as one of `type`, to be read with Matrix::scale = scale: that of the tensor in I2_S, in
// other types 1 or what multiplies the tensor from outside. cols is a multiple of the type's block. Where it
// fits neither exactly nor rounded, `out` is left in no particular state. Scales of blocks of zeros alone are
// kept where the type has a place for them, and otherwise do not matter.
// out: [coded_row_bytes(type, row.cols)]
CodedFit write_coded_row(const CodedRow& row, TensorType type, float scale, std::byte* out);

// Whether rows that are added have one scale in common.
class CommonScale {
 public:
  void add(const CodedRow& row);
  void add(const CommonScale& later);  // the rows that were added to it
  // That of all blocks that hold other values than zeros; if there are none, that of the first block. nullopt
  // where they differ.
  std::optional<float> value() const;

 private:
  void add(float scale);

  std::optional<float> scale_;
  std::optional<float> of_zeros_;
  bool differs_ = false;
};

}  // namespace bitnet::quant
