#include "quant/i8_rows.h"

#include "quant/tensor_type.h"

namespace bitnet::quant::i8_rows {
namespace {

std::uint64_t scales_offset(std::uint64_t rows, std::uint64_t cols) { return (rows * cols + 63) / 64 * 64; }

}  // namespace

std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) {
  return scales_offset(rows, cols) + rows * sizeof(float);
}

const std::int8_t* codes(const Matrix& w) { return reinterpret_cast<const std::int8_t*>(w.data); }

const float* scales(const Matrix& w) {
  return reinterpret_cast<const float*>(w.data + scales_offset(w.rows, w.cols));
}

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const std::int8_t* q = codes(w) + row * w.cols;
  for (std::size_t i = 0; i < w.cols; ++i) out[i] = scales(w)[row] * static_cast<float>(q[i]) * w.scale;
}

}  // namespace bitnet::quant::i8_rows
