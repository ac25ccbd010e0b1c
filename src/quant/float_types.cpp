#include "quant/float_types.h"

#include <cstring>

#include "base/half.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {
namespace {

template <typename Stored, typename Convert>
void decode(const Matrix& w, std::size_t row, float* out, Convert convert) {
  const std::byte* at = w.data + row * w.cols * sizeof(Stored);
  for (std::size_t i = 0; i < w.cols; ++i) {
    Stored stored;
    std::memcpy(&stored, at + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(stored) * w.scale;
  }
}

}  // namespace

float no_tensor_scale(const std::byte* /*data*/, std::uint64_t /*rows*/, std::uint64_t /*cols*/) {
  return 1.0F;
}

namespace f32 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols * 4; }
void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode<float>(w, row, out, [](float v) { return v; });
}
}  // namespace f32

namespace f16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols * 2; }
void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode<std::uint16_t>(w, row, out, f16_to_f32);
}
}  // namespace f16

namespace bf16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols * 2; }
void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode<std::uint16_t>(w, row, out, bf16_to_f32);
}
}  // namespace bf16

}  // namespace bitnet::quant
