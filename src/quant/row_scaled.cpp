#include "quant/row_scaled.h"

#include <array>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "quant/pairs.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {
namespace {

constexpr std::size_t kBlock = RowScaledType::kBlock;
constexpr std::size_t kRowsOfR4 = 4;

const std::byte* begin_of(const RowScaledType& type, const Matrix& w, std::size_t row) {
  return w.data + row * type.row_bytes(w.cols);
}

template <typename T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float scale_of_iq2_bn(const Matrix& w, std::size_t row) { return read<float>(begin_of(kIq2Bn, w, row)); }

void read_iq2_bn(const Matrix& w, std::size_t row, std::size_t block, std::uint32_t* words) {
  const std::byte* at = begin_of(kIq2Bn, w, row) + sizeof(float) + block * kIq2Bn.block_bytes;
  const auto low = read<std::uint64_t>(at);
  const auto high = read<std::uint64_t>(at + sizeof low);
  for (unsigned bit = 0; bit < 8; bit += 2)
    *words++ = gather_pairs(low >> bit) | std::uint32_t{gather_pairs(high >> bit)} << 16;
}

// Where the four are that a row is of.
const std::byte* four_of(const Matrix& w, std::size_t row) {
  return begin_of(kIq2BnR4, w, row / kRowsOfR4 * kRowsOfR4);
}

float scale_of_iq2_bn_r4(const Matrix& w, std::size_t row) {
  return read<float>(four_of(w, row) + row % kRowsOfR4 * sizeof(float));
}

void read_iq2_bn_r4(const Matrix& w, std::size_t row, std::size_t block, std::uint32_t* words) {
  const std::byte* at =
      four_of(w, row) + kRowsOfR4 * (sizeof(float) + block * kIq2BnR4.block_bytes) + row % kRowsOfR4 * 4;
  for (std::size_t word = 0; word < RowScaledType::kBlockWords; ++word, at += 16) {
    const auto bytes = read<std::uint32_t>(at);
    std::uint32_t codes = 0;
    for (unsigned i = 0; i < 16; ++i) codes |= (bytes >> (i % 4 * 8 + i / 4 * 2) & 3) << (2 * i);
    *words++ = codes;
  }
}

// The five digits of a byte, the last one first, two bits each.
constexpr std::uint32_t digits_of(std::uint32_t fraction) {
  std::uint32_t codes = 0;
  for (int digit = 0; digit < 5; ++digit) {
    fraction = (fraction & 0xFF) * 3;
    codes = codes << 2 | fraction >> 8;
  }
  return codes;
}

constexpr auto kDigits = [] {
  std::array<std::uint16_t, 256> digits{};
  for (std::uint32_t byte = 0; byte < digits.size(); ++byte)
    digits[byte] = static_cast<std::uint16_t>(digits_of(byte));
  return digits;
}();

float scale_of_iq1_bn(const Matrix& w, std::size_t row) {
  return f16_to_f32(read<std::uint16_t>(begin_of(kIq1Bn, w, row)));
}

void read_iq1_bn(const Matrix& w, std::size_t row, std::size_t block, std::uint32_t* words) {
  const std::byte* at = begin_of(kIq1Bn, w, row) + sizeof(std::uint16_t) + block * kIq1Bn.block_bytes;
  const auto digits = [&](std::size_t byte) -> std::uint32_t {
    return kDigits[std::to_integer<std::size_t>(at[byte])];
  };
  for (unsigned i = 0; i < 4; ++i) {
    *words++ =
        digits(3 * i) | digits(3 * i + 1) << 10 | digits(3 * i + 2) << 20 | (digits(12) >> (2 * i) & 3) << 30;
  }
}

}  // namespace

const RowScaledType kIq2Bn{sizeof(float), 16, 1, scale_of_iq2_bn, read_iq2_bn};
const RowScaledType kIq2BnR4{sizeof(float), 16, kRowsOfR4, scale_of_iq2_bn_r4, read_iq2_bn_r4};
const RowScaledType kIq1Bn{sizeof(std::uint16_t), 13, 1, scale_of_iq1_bn, read_iq1_bn};

void RowScaledType::read_row(const Matrix& w, std::size_t row, std::uint32_t* words) const {
  for (std::size_t block = 0; block < w.cols / kBlock; ++block)
    read_block(w, row, block, words + block * kBlockWords);
}

void decode_row_scaled(const Matrix& w, std::size_t row, float* out) {
  const RowScaledType& type = *info(w.type).row_scaled;
  const float scale = type.scale_of(w, row) * w.scale;
  for (std::size_t block = 0; block < w.cols / kBlock; ++block) {
    std::array<std::uint32_t, RowScaledType::kBlockWords> words;
    type.read_block(w, row, block, words.data());
    for (const std::uint32_t word : words) {
      for (unsigned bit = 0; bit < 32; bit += 2)
        *out++ = static_cast<float>(static_cast<int>(word >> bit & 3) - 1) * scale;
    }
  }
}

std::optional<std::size_t> find_bad_scaled_row(const Matrix& w, std::size_t begin, std::size_t end) {
  constexpr std::uint32_t kLowBits = 0x55555555;
  const RowScaledType& type = *info(w.type).row_scaled;
  for (std::size_t row = begin; row < end; ++row) {
    std::uint32_t threes = 0;
    for (std::size_t block = 0; block < w.cols / kBlock; ++block) {
      std::array<std::uint32_t, RowScaledType::kBlockWords> words;
      type.read_block(w, row, block, words.data());
      for (const std::uint32_t word : words) threes |= word & word >> 1 & kLowBits;
    }
    if (threes != 0 || !std::isfinite(type.scale_of(w, row))) return row;
  }
  return std::nullopt;
}

}  // namespace bitnet::quant
