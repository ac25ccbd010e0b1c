// F32, F16 and BF16: one value after another, row-major, little endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bitnet::quant {

struct Matrix;

// Of each type: the first value of rows [begin, end) that is infinite or no number, counted from the matrix's
// first. The data may lie at any address.

float no_tensor_scale(const std::byte* data, std::uint64_t rows, std::uint64_t cols);

namespace f32 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols);
void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end);
}  // namespace f32

namespace f16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols);
void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end);
}  // namespace f16

namespace bf16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols);
void decode_row(const Matrix& w, std::size_t row, float* out);
bool encode_row(const float* values, std::size_t cols, std::byte* out);
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end);
}  // namespace bf16

}  // namespace bitnet::quant
