#include "quant/i2_s.h"

#include <algorithm>
#include <cstring>

#include "quant/coded.h"
#include "quant/pairs.h"
#include "quant/tensor_type.h"

namespace bitnet::quant::i2_s {
namespace {

// Every code of a file is checked when it is loaded, and memory is what that waits for: processors don't look
// ahead across pages by themselves.
constexpr std::size_t kPrefetchBytes = 4096;

// n_bytes is a multiple of 32.
bool holds_code_3(const std::byte* codes, std::size_t n_bytes) {
  std::uint64_t bad = 0;
  for (std::size_t at = 0; at < n_bytes; at += 64) {
    __builtin_prefetch(codes + at + kPrefetchBytes);
    const std::size_t n_words = std::min<std::size_t>(64, n_bytes - at) / sizeof bad;
    for (std::size_t i = 0; i < n_words; ++i) {
      std::uint64_t word;
      std::memcpy(&word, codes + at + i * sizeof word, sizeof word);
      bad |= word & (word >> 1);  // both bits of a code set
    }
  }
  return (bad & 0x5555555555555555U) != 0;
}

}  // namespace

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
  const std::size_t row_bytes = w.cols / 4;
  for (std::size_t row = begin; row < end; ++row) {
    const std::byte* codes = w.data + row * row_bytes;
    if (!holds_code_3(codes, row_bytes)) continue;
    for (std::size_t i = 0; i < w.cols; ++i) {
      const std::size_t j = i % kGroup;
      const auto byte = static_cast<unsigned>(codes[i / kGroup * kGroupBytes + j % 32]);
      if (((byte >> (6 - 2 * (j / 32))) & 3U) == 3U) return row * w.cols + i;
    }
  }
  return std::nullopt;
}

const CodedType kGroups{.codebook = Codebook::ternary,
                        .n_codes = 3,
                        .block = kGroup,
                        .block_bytes = kGroupBytes,
                        .scale_at = CodedType::kNoScale,
                        .read_codes = read_pairs<PairOrder::highest_first>,
                        .write_codes = write_pairs<PairOrder::highest_first>};

void write_tail(float scale, std::byte* tail) {
  std::memset(tail, 0, kTailBytes);
  std::memcpy(tail, &scale, sizeof scale);
}

}  // namespace bitnet::quant::i2_s
