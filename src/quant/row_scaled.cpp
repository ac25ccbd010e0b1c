#include "quant/row_scaled.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

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

float read_iq2_bn(const Matrix& w, std::size_t row, std::uint32_t* words) {
  const std::byte* block = begin_of(kIq2Bn, w, row) + sizeof(float);
  for (std::size_t col = 0; col < w.cols; col += kBlock, block += kIq2Bn.block_bytes) {
    const auto low = read<std::uint64_t>(block);
    const auto high = read<std::uint64_t>(block + sizeof low);
    for (unsigned bit = 0; bit < 8; bit += 2)
      *words++ = gather_pairs(low >> bit) | std::uint32_t{gather_pairs(high >> bit)} << 16;
  }
  return scale_of_iq2_bn(w, row);
}

float scale_of_iq2_bn_r4(const Matrix& w, std::size_t row) {
  return read<float>(begin_of(kIq2BnR4, w, row / kRowsOfR4 * kRowsOfR4) + row % kRowsOfR4 * sizeof(float));
}

float read_iq2_bn_r4(const Matrix& w, std::size_t row, std::uint32_t* words) {
  const std::size_t first = row / kRowsOfR4 * kRowsOfR4;
  const std::byte* four = begin_of(kIq2BnR4, w, first) + kRowsOfR4 * sizeof(float) + row % kRowsOfR4 * 4;
  for (std::size_t word = 0; word < w.cols / 16; ++word, four += 16) {
    const auto bytes = read<std::uint32_t>(four);
    std::uint32_t codes = 0;
    for (unsigned i = 0; i < 16; ++i) codes |= (bytes >> (i % 4 * 8 + i / 4 * 2) & 3) << (2 * i);
    *words++ = codes;
  }
  return scale_of_iq2_bn_r4(w, row);
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

float read_iq1_bn(const Matrix& w, std::size_t row, std::uint32_t* words) {
  const std::byte* block = begin_of(kIq1Bn, w, row) + sizeof(std::uint16_t);
  const auto digits = [&](std::size_t byte) -> std::uint32_t {
    return kDigits[std::to_integer<std::size_t>(block[byte])];
  };
  for (std::size_t col = 0; col < w.cols; col += kBlock, block += kIq1Bn.block_bytes) {
    for (unsigned i = 0; i < 4; ++i) {
      *words++ = digits(3 * i) | digits(3 * i + 1) << 10 | digits(3 * i + 2) << 20 |
                 (digits(12) >> (2 * i) & 3) << 30;
    }
  }
  return scale_of_iq1_bn(w, row);
}

}  // namespace

const RowScaledType kIq2Bn{sizeof(float), 16, 1, read_iq2_bn, scale_of_iq2_bn};
const RowScaledType kIq2BnR4{sizeof(float), 16, kRowsOfR4, read_iq2_bn_r4, scale_of_iq2_bn_r4};
const RowScaledType kIq1Bn{sizeof(std::uint16_t), 13, 1, read_iq1_bn, scale_of_iq1_bn};

void decode_row_scaled(const Matrix& w, std::size_t row, float* out) {
  std::vector<std::uint32_t> words(w.cols / 16);
  const float scale = info(w.type).row_scaled->read_row(w, row, words.data()) * w.scale;
  for (std::size_t i = 0; i < w.cols; ++i) {
    const auto code = static_cast<int>(words[i / 16] >> (2 * (i % 16)) & 3);
    out[i] = static_cast<float>(code - 1) * scale;
  }
}

std::optional<std::size_t> find_bad_scaled_row(const Matrix& w, std::size_t begin, std::size_t end) {
  constexpr std::uint32_t kLowBits = 0x55555555;
  const RowScaledType& type = *info(w.type).row_scaled;
  std::vector<std::uint32_t> words(w.cols / 16);
  for (std::size_t row = begin; row < end; ++row) {
    const float scale = type.read_row(w, row, words.data());
    std::uint32_t threes = 0;
    for (const std::uint32_t word : words) threes |= word & word >> 1 & kLowBits;
    if (threes != 0 || !std::isfinite(scale)) return row;
  }
  return std::nullopt;
}

}  // namespace bitnet::quant
