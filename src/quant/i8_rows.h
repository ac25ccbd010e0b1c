// Rows of int8 with a float scale each: value = scale * q. Not a type of files: copies that the engine makes
// of other types (--head int8). The codes of all rows come first, [rows, cols], then at the next cache line
// the scales, [rows].
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::quant {

struct Matrix;

namespace i8_rows {

std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols);
const std::int8_t* codes(const Matrix& w);  // [rows, cols]
const float* scales(const Matrix& w);       // [rows]
void decode_row(const Matrix& w, std::size_t row, float* out);

}  // namespace i8_rows
}  // namespace bitnet::quant
