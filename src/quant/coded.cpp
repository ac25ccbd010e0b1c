#include "quant/coded.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {
namespace {

constexpr std::uint16_t kScaleOne = 0x3C00;

bool is_finite(std::uint16_t f16) {
  constexpr unsigned kExponent = 0x7C00;
  return (f16 & kExponent) != kExponent;
}

}  // namespace

std::array<std::int8_t, 4> numerators_of(Codebook codebook) {
  switch (codebook) {
    case Codebook::ternary:
      return {-1, 0, 1, 2};
    case Codebook::binary:
      return {-1, 1, -1, 1};
    case Codebook::four_level:
      return {-2, -1, 1, 2};
    case Codebook::thirds:
      return {-3, -1, 1, 3};
  }
  return {};
}

float denominator_of(Codebook codebook) { return codebook == Codebook::thirds ? 3.0F : 1.0F; }

std::uint16_t CodedType::scale_of(const std::byte* data) const {
  if (scale_at == kNoScale) return kScaleOne;
  std::uint16_t d;
  std::memcpy(&d, data + scale_at, sizeof d);
  return d;
}

void decode_coded_row(const Matrix& w, std::size_t row, float* out) {
  const CodedType& type = *info(w.type).coded;
  const std::size_t bits = bits_of(type.codebook);
  const std::size_t per_word = 32 / bits;
  const std::uint32_t mask = (1U << bits) - 1;
  const auto numerators = numerators_of(type.codebook);
  const float denominator = denominator_of(type.codebook);
  const std::byte* data = w.data + row * type.row_bytes(w.cols);
  for (std::size_t begin = 0; begin < w.cols; begin += type.block, data += type.block_bytes) {
    const float d = f16_to_f32(type.scale_of(data));
    std::array<float, 4> values;
    for (std::size_t code = 0; code < values.size(); ++code) {
      values[code] = static_cast<float>(numerators[code]) / denominator * d * w.scale;
    }
    std::array<std::uint32_t, kMaxCodeWords> words;
    type.read_codes(data, words.data());
    const std::size_t n = std::min(type.block, w.cols - begin);
    for (std::size_t j = 0; j < n; j += per_word) {
      std::uint32_t word = words[j / per_word];
      const std::size_t end = begin + std::min(j + per_word, n);
      for (std::size_t i = begin + j; i < end; ++i, word >>= bits) out[i] = values[word & mask];
    }
  }
}

std::optional<std::size_t> find_bad_coded_scale(const Matrix& w, std::size_t begin, std::size_t end) {
  const CodedType& type = *info(w.type).coded;
  if (type.scale_at == CodedType::kNoScale) return std::nullopt;
  const std::size_t per_row = type.blocks_in(w.cols);
  for (std::size_t i = begin * per_row; i < end * per_row; ++i) {
    if (!is_finite(type.scale_of(w.data + i * type.block_bytes))) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> find_bad_coded_block(const Matrix& w, std::size_t begin, std::size_t end) {
  constexpr std::uint32_t kLowBits = 0x55555555;
  const CodedType& type = *info(w.type).coded;
  const std::size_t per_row = type.blocks_in(w.cols);
  for (std::size_t i = begin * per_row; i < end * per_row; ++i) {
    const std::byte* data = w.data + i * type.block_bytes;
    std::array<std::uint32_t, kMaxCodeWords> words;
    type.read_codes(data, words.data());
    const std::size_t n_words = std::min(type.block, w.cols - i % per_row * type.block) / 16;
    std::uint32_t threes = 0;
    for (std::size_t k = 0; k < n_words; ++k) threes |= words[k] & words[k] >> 1 & kLowBits;
    if (threes != 0 || !is_finite(type.scale_of(data))) return i;
  }
  return std::nullopt;
}

}  // namespace bitnet::quant
