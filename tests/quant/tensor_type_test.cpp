#include "quant/tensor_type.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "quant/i2_s.h"
#include "quant/stored_matrix.h"

namespace bitnet::quant {
namespace {

using test::stored_matrix;

// Ternary values packed by the format's words, one element at a time: element j of each group of 128 goes to
// byte j % 32, bits 6 - 2 * (j / 32); then the scale, then nothing up to 32 bytes.
std::vector<std::byte> pack_i2_s(const std::vector<int>& values, float scale) {
  std::vector<std::byte> bytes(values.size() / 4 + 32);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t group = i / 128;
    const std::size_t j = i % 128;
    const auto code = static_cast<unsigned>(values[i] + 1);
    bytes[group * 32 + j % 32] |= static_cast<std::byte>(code << (6 - 2 * (j / 32)));
  }
  std::memcpy(&bytes[values.size() / 4], &scale, sizeof scale);
  return bytes;
}

TEST(I2S, EveryElementOfEveryRowDecodesByTheFormatsTable) {
  std::mt19937 rng(1);
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, std::size_t{7}}) {
    for (const std::size_t cols : {std::size_t{128}, std::size_t{384}, std::size_t{640}}) {
      std::vector<int> values(rows * cols);
      for (int& v : values) v = static_cast<int>(rng() % 3) - 1;
      const auto bytes = pack_i2_s(values, 0.375F);
      ASSERT_EQ(info(TensorType::i2_s).n_bytes(rows, cols), bytes.size());
      const Matrix w = stored_matrix(TensorType::i2_s, rows, cols, bytes);
      EXPECT_EQ(w.scale, 0.375F);
      std::vector<float> row(cols);
      for (std::size_t r = 0; r < rows; ++r) {
        info(w.type).decode_row(w, r, row.data());
        for (std::size_t i = 0; i < cols; ++i) {
          ASSERT_EQ(row[i], 0.375F * static_cast<float>(values[r * cols + i])) << r << "," << i;
        }
      }
      EXPECT_FALSE(info(w.type).check.find_fault(w, 0, rows).has_value());
    }
  }
}

TEST(I2S, AKnownByteHoldsFourElementsThirtyTwoApart) {
  std::vector<std::byte> bytes(64);
  bytes[5] = std::byte{0b00'01'10'00};  // element 5: -1, 37: 0, 69: +1, 101: -1
  const float scale = 2.0F;
  std::memcpy(&bytes[32], &scale, sizeof scale);
  const Matrix w = stored_matrix(TensorType::i2_s, 1, 128, bytes);
  std::vector<float> row(128);
  info(w.type).decode_row(w, 0, row.data());
  EXPECT_EQ(row[5], -2.0F);
  EXPECT_EQ(row[37], 0.0F);
  EXPECT_EQ(row[69], 2.0F);
  EXPECT_EQ(row[101], -2.0F);
}

TEST(I2S, TheFirstCodeThreeIsFoundWhereverItIs) {
  const std::size_t rows = 5;
  const std::size_t cols = 256;
  const std::vector<int> zeros(rows * cols, 0);
  for (std::size_t at = 0; at < zeros.size(); ++at) {
    auto values = zeros;
    values[at] = 2;  // packs as code 3
    values.back() = at == zeros.size() - 1 ? 2 : values.back();
    const auto bytes = pack_i2_s(values, 1.0F);
    const Matrix w = stored_matrix(TensorType::i2_s, rows, cols, bytes);
    ASSERT_EQ(info(w.type).check.find_fault(w, 0, rows), at);
    ASSERT_EQ(info(w.type).check.find_fault(w, at / cols, at / cols + 1), at);
    if (at >= cols) {
      ASSERT_FALSE(info(w.type).check.find_fault(w, 0, at / cols).has_value());
    }
  }
}

// At any place of a row, and behind as many rows as a loop over whole vectors takes.
TEST(FloatTypes, TheFirstValueThatIsNotFiniteIsFoundWhereverItIs) {
  const std::size_t rows = 7;
  const std::size_t cols = 311;
  const auto check = [&](TensorType type, auto largest, std::initializer_list<decltype(largest)> all_bad) {
    std::vector<decltype(largest)> values(rows * cols, largest);
    const auto matrix = [&] {
      const auto bytes = std::as_bytes(std::span(values));
      return Matrix{type, rows, cols, bytes.data()};
    };
    EXPECT_FALSE(info(type).check.find_fault(matrix(), 0, rows).has_value());
    for (const auto bad : all_bad) {
      for (const std::size_t at : {std::size_t{0}, std::size_t{310}, std::size_t{311}, std::size_t{1023},
                                   std::size_t{1024}, std::size_t{1500}, rows * cols - 1}) {
        values[at] = values.back() = bad;
        EXPECT_EQ(info(type).check.find_fault(matrix(), 0, rows), at);
        EXPECT_EQ(info(type).check.find_fault(matrix(), at / cols, at / cols + 1), at);
        EXPECT_FALSE(info(type).check.find_fault(matrix(), 0, at / cols).has_value());
        values[at] = values.back() = largest;
      }
    }
  };
  // The largest value, infinities, and what is no number.
  check(TensorType::f16, std::uint16_t{0x7BFF}, {0x7C00, 0xFC00, 0x7E00});
  check(TensorType::bf16, std::uint16_t{0xFF7F}, {0x7F80, 0xFF80, 0x7FC0});
  check(TensorType::f32, std::uint32_t{0x7F7FFFFF}, {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFFFFFFF});
}

TEST(FloatTypes, EveryElementDecodesByTheIeeeDefinition) {
  const std::size_t rows = 3;
  const std::size_t cols = 5;
  std::vector<std::byte> f32(rows * cols * 4);
  std::vector<std::byte> f16(rows * cols * 2);
  std::vector<std::byte> bf16(rows * cols * 2);
  std::vector<float> want;
  for (std::size_t i = 0; i < rows * cols; ++i) {
    const int exponent = static_cast<int>(i) - 7;
    const float value = std::ldexp(i % 2 == 0 ? 1.5F : -1.25F, exponent);  // exact in all three
    want.push_back(value);
    std::memcpy(&f32[i * 4], &value, 4);
    const auto sign = static_cast<std::uint16_t>(value < 0 ? 0x8000 : 0);
    const auto half = static_cast<std::uint16_t>(sign | (exponent + 15) << 10 | (i % 2 == 0 ? 0x200 : 0x100));
    std::memcpy(&f16[i * 2], &half, 2);
    const auto brain = static_cast<std::uint16_t>(sign | (exponent + 127) << 7 | (i % 2 == 0 ? 0x40 : 0x20));
    std::memcpy(&bf16[i * 2], &brain, 2);
  }
  const std::vector<std::pair<TensorType, const std::vector<std::byte>*>> all{
      {TensorType::f32, &f32}, {TensorType::f16, &f16}, {TensorType::bf16, &bf16}};
  for (const auto& [type, bytes] : all) {
    ASSERT_EQ(info(type).n_bytes(rows, cols), bytes->size());
    Matrix w = stored_matrix(type, rows, cols, *bytes);
    EXPECT_EQ(w.scale, 1.0F);
    w.scale = 0.5F;
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      info(type).decode_row(w, r, row.data());
      for (std::size_t i = 0; i < cols; ++i) EXPECT_EQ(row[i], 0.5F * want[r * cols + i]) << info(type).name;
    }
  }
}

TEST(TensorTypes, AreDescribedInTheirOrder) {
  std::size_t n = 0;
  for (const TypeInfo& type : all_types()) {
    EXPECT_EQ(static_cast<std::size_t>(type.type), n++) << type.name;
    EXPECT_EQ(&info(type.type), &type);
  }
  EXPECT_EQ(n, static_cast<std::size_t>(TensorType::lanes) + 1);
}

}  // namespace
}  // namespace bitnet::quant
