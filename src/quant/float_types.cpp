#include "quant/float_types.h"

#include <algorithm>
#include <cmath>
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

// To the nearest; false where that is infinite, and the value is not.
template <typename Stored, Stored (*round)(float), float (*widen)(Stored)>
bool encode(const float* values, std::size_t cols, std::byte* out) {
  bool fits = true;
  for (std::size_t i = 0; i < cols; ++i) {
    const Stored stored = round(values[i]);
    fits &= !std::isinf(widen(stored)) || std::isinf(values[i]);
    std::memcpy(out + i * sizeof stored, &stored, sizeof stored);
  }
  return fits;
}

// Whether one of n words has all bits of the exponent set.
template <typename Word>
bool any_non_finite(const std::byte* at, std::size_t n, Word exponent) {
  Word any = 0;  // as wide as what is compared: a loop that compilers turn into vectors
  for (std::size_t i = 0; i < n; ++i) {
    Word word;
    std::memcpy(&word, at + i * sizeof word, sizeof word);
    any = static_cast<Word>(any | Word{(word & exponent) == exponent});
  }
  return any != 0;
}

template <typename Word>
std::optional<std::size_t> find(const Matrix& w, std::size_t begin, std::size_t end, Word exponent) {
  constexpr std::size_t kBlock = 1024;  // the first fault is looked for in one
  const std::size_t last = end * w.cols;
  for (std::size_t at = begin * w.cols; at < last; at += kBlock) {
    const std::size_t n = std::min(kBlock, last - at);
    const std::byte* const words = w.data + at * sizeof exponent;
    const bool any =
        n == kBlock ? any_non_finite(words, kBlock, exponent) : any_non_finite(words, n, exponent);
    for (std::size_t i = 0; any; ++i) {
      if (any_non_finite(words + i * sizeof exponent, 1, exponent)) return at + i;
    }
  }
  return std::nullopt;
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
bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  std::memcpy(out, values, cols * sizeof *values);
  return true;
}
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end) {
  return find<std::uint32_t>(w, begin, end, 0x7F800000U);
}
}  // namespace f32

namespace f16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols * 2; }
void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode<std::uint16_t>(w, row, out, f16_to_f32);
}
bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  return encode<std::uint16_t, f32_to_f16, f16_to_f32>(values, cols, out);
}
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end) {
  return find<std::uint16_t>(w, begin, end, 0x7C00U);
}
}  // namespace f16

namespace bf16 {
std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols * 2; }
void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode<std::uint16_t>(w, row, out, bf16_to_f32);
}
bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  return encode<std::uint16_t, f32_to_bf16, bf16_to_f32>(values, cols, out);
}
std::optional<std::size_t> find_non_finite(const Matrix& w, std::size_t begin, std::size_t end) {
  return find<std::uint16_t>(w, begin, end, 0x7F80U);
}
}  // namespace bf16

}  // namespace bitnet::quant
