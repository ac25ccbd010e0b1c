// I2_S as Microsoft's BitNet tools write it on x86: 2-bit ternary codes, one scale for the whole tensor.
//
// The tensor is one flat row-major sequence in groups of 128 elements = 32 bytes: element j of a group sits
// in byte j % 32 at bits 6 - 2 * (j / 32). Code 0 is -1, 1 is 0, 2 is +1; 3 never occurs. One f32, the scale,
// follows the codes. The tensor takes n/4 + 32 bytes. Rows here are whole groups, so a row starts on a byte
// boundary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bitnet::quant {

struct CodedType;
struct Matrix;

namespace i2_s {

inline constexpr std::size_t kGroup = 128;      // elements
inline constexpr std::size_t kGroupBytes = 32;  // 2 bits each
inline constexpr std::size_t kTailBytes = 32;   // the scale, and room to keep it aligned

std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols);
float tensor_scale(const std::byte* data, std::uint64_t rows, std::uint64_t cols);
void decode_row(const Matrix& w, std::size_t row, float* out);
std::optional<std::size_t> find_bad_code(const Matrix& w, std::size_t begin, std::size_t end);

// A group as a block of codes; the scale is the tensor's.
extern const CodedType kGroups;

// What follows the codes of a tensor: kTailBytes.
void write_tail(float scale, std::byte* tail);

}  // namespace i2_s
}  // namespace bitnet::quant
