#include "quant/i2_s.h"

#include <cstring>

#include "quant/tensor_type.h"

namespace bitnet::quant::i2_s {

std::uint64_t n_bytes(std::uint64_t rows, std::uint64_t cols) { return rows * cols / 4 + kTailBytes; }

float tensor_scale(const std::byte* data, std::uint64_t rows, std::uint64_t cols) {
  float scale = 0;
  std::memcpy(&scale, data + rows * cols / 4, sizeof scale);
  return scale;
}

void decode_row(const Matrix& w, std::size_t row, float* out) {
  const std::byte* codes = w.data + row * w.cols / 4;
  for (std::size_t i = 0; i < w.cols; ++i) {
    const std::size_t j = i % kGroup;
    const auto byte = static_cast<unsigned>(codes[i / kGroup * kGroupBytes + j % 32]);
    const int code = static_cast<int>((byte >> (6 - 2 * (j / 32))) & 3U);
    out[i] = static_cast<float>(code - 1) * w.scale;
  }
}

std::optional<std::size_t> find_bad_code(const Matrix& w, std::size_t begin, std::size_t end) {
  const std::byte* codes = w.data + begin * w.cols / 4;
  const std::size_t n = (end - begin) * w.cols / 4;  // a multiple of 32
  for (std::size_t at = 0; at < n; at += kGroupBytes) {
    std::uint64_t word[4];  // both bits of a code set: 3
    std::memcpy(word, codes + at, sizeof word);
    std::uint64_t bad = 0;
    for (const std::uint64_t v : word) bad |= v & (v >> 1) & 0x5555555555555555U;
    if (bad == 0) continue;
    for (std::size_t j = 0; j < kGroup; ++j) {
      const auto byte = static_cast<unsigned>(codes[at + j % 32]);
      if (((byte >> (6 - 2 * (j / 32))) & 3U) == 3U) return begin * w.cols + at * 4 + j;
    }
  }
  return std::nullopt;
}

}  // namespace bitnet::quant::i2_s
