#include "support/row_scaled_types.h"

#include <cstring>
#include <stdexcept>

#include "base/half.h"

namespace bitnet::test {
namespace {

constexpr std::size_t kBlock = 64;

void put(std::vector<std::byte>& bytes, const auto& value) {
  const auto* const data = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), data, data + sizeof value);
}

unsigned code_of(std::int8_t trit) { return static_cast<unsigned>(trit + 1); }

void put_row_of_iq2_bn(std::vector<std::byte>& bytes, std::span<const std::int8_t> row, float scale) {
  put(bytes, scale);
  for (std::size_t block = 0; block < row.size(); block += kBlock) {
    for (std::size_t byte = 0; byte < 16; ++byte) {
      unsigned codes = 0;
      for (unsigned k = 0; k < 4; ++k) codes |= code_of(row[block + byte + 16 * k]) << (2 * k);
      bytes.push_back(static_cast<std::byte>(codes));
    }
  }
}

void put_four_rows(std::vector<std::byte>& bytes, std::span<const std::int8_t> rows, std::size_t cols,
                   std::span<const float> scales) {
  for (const float scale : scales) put(bytes, scale);
  for (std::size_t sixteen = 0; sixteen < cols; sixteen += 16) {
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t i = 0; i < 4; ++i) {
        unsigned codes = 0;
        for (unsigned k = 0; k < 4; ++k) codes |= code_of(rows[row * cols + sixteen + i + 4 * k]) << (2 * k);
        bytes.push_back(static_cast<std::byte>(codes));
      }
    }
  }
}

// Five trits, the last one worth most; in units of 1 / 243, brought to units of 1 / 256 and rounded up.
std::byte byte_of(const std::int8_t* trits, std::size_t n, std::size_t step) {
  unsigned number = 0;
  unsigned unit = 1;
  for (std::size_t i = 0; i < n; ++i, unit *= 3) number += code_of(trits[i * step]) * unit;
  return static_cast<std::byte>((number * 256 + 242) / 243);
}

void put_row_of_iq1_bn(std::vector<std::byte>& bytes, std::span<const std::int8_t> row, float scale) {
  put(bytes, f32_to_f16(scale));
  for (std::size_t block = 0; block < row.size(); block += kBlock) {
    const std::int8_t* const trits = &row[block];
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t k = 0; k < 3; ++k) bytes.push_back(byte_of(trits + 16 * i + 5 * k, 5, 1));
    }
    bytes.push_back(byte_of(trits + 15, 4, 16));
  }
}

}  // namespace

std::vector<std::byte> pack_row_scaled(std::uint32_t type, std::span<const std::int8_t> trits,
                                       std::span<const float> scales) {
  const std::size_t cols = trits.size() / scales.size();
  const std::size_t together = type == kIq2BnR4 ? 4 : 1;
  if (cols % kBlock != 0 || scales.size() % together != 0) throw std::invalid_argument("rows of odd size");
  std::vector<std::byte> bytes;
  for (std::size_t row = 0; row < scales.size(); row += together) {
    const auto values = trits.subspan(row * cols, together * cols);
    if (type == kIq2BnR4) {
      put_four_rows(bytes, values, cols, scales.subspan(row, together));
    } else if (type == kIq2Bn) {
      put_row_of_iq2_bn(bytes, values, scales[row]);
    } else {
      put_row_of_iq1_bn(bytes, values, scales[row]);
    }
  }
  return bytes;
}

}  // namespace bitnet::test
