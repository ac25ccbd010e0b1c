#include "quant/tensor_type.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "quant/i2_s.h"

namespace bitnet::quant {
namespace {

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

Matrix matrix_of(TensorType type, std::size_t rows, std::size_t cols, const std::vector<std::byte>& bytes) {
  Matrix w{type, rows, cols, bytes.data(), 1.0F};
  w.scale = info(type).tensor_scale(bytes.data(), rows, cols);
  return w;
}

TEST(I2S, EveryElementOfEveryRowDecodesByTheFormatsTable) {
  std::mt19937 rng(1);
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, std::size_t{7}}) {
    for (const std::size_t cols : {std::size_t{128}, std::size_t{384}, std::size_t{640}}) {
      std::vector<int> values(rows * cols);
      for (int& v : values) v = static_cast<int>(rng() % 3) - 1;
      const auto bytes = pack_i2_s(values, 0.375F);
      ASSERT_EQ(info(TensorType::i2_s).n_bytes(rows, cols), bytes.size());
      const Matrix w = matrix_of(TensorType::i2_s, rows, cols, bytes);
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
  const Matrix w = matrix_of(TensorType::i2_s, 1, 128, bytes);
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
    const Matrix w = matrix_of(TensorType::i2_s, rows, cols, bytes);
    ASSERT_EQ(info(w.type).check.find_fault(w, 0, rows), at);
    ASSERT_EQ(info(w.type).check.find_fault(w, at / cols, at / cols + 1), at);
    if (at >= cols) {
      ASSERT_FALSE(info(w.type).check.find_fault(w, 0, at / cols).has_value());
    }
  }
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
    Matrix w = matrix_of(type, rows, cols, *bytes);
    EXPECT_EQ(w.scale, 1.0F);
    w.scale = 0.5F;
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      info(type).decode_row(w, r, row.data());
      for (std::size_t i = 0; i < cols; ++i) EXPECT_EQ(row[i], 0.5F * want[r * cols + i]) << info(type).name;
    }
  }
}

TEST(TensorTypes, AreFoundByTheirGgmlIdAndNothingElseIs) {
  EXPECT_EQ(find_type(0)->name, "F32");
  EXPECT_EQ(find_type(1)->name, "F16");
  EXPECT_EQ(find_type(30)->name, "BF16");
  EXPECT_EQ(find_type(36)->name, "I2_S");
  EXPECT_EQ(find_type(8)->name, "Q8_0");
  EXPECT_EQ(find_type(14)->name, "Q6_K");
  EXPECT_EQ(find_type(2)->name, "Q4_0");
  for (const std::uint32_t id : {3U, 12U, 15U, 34U, 35U, 37U, 38U, 39U, 41U, 42U, 99U, 0xFFFFFFFFU}) {
    EXPECT_EQ(find_type(id), nullptr) << id;
  }
  for (const TensorType t : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0,
                             TensorType::q6_k, TensorType::q4_0, TensorType::i2_s}) {
    EXPECT_EQ(info(t).type, t);
  }
}

TEST(TensorTypes, ARefusalNamesTheTypeAndWhatToDo) {
  EXPECT_NE(describe_refused_type(38).find("TL1"), std::string::npos);
  EXPECT_NE(describe_refused_type(39).find("TL2"), std::string::npos);
  EXPECT_NE(describe_refused_type(12).find("Q4_K"), std::string::npos);
  EXPECT_NE(describe_refused_type(12).find("requantize"), std::string::npos);
  EXPECT_NE(describe_refused_type(777).find("777"), std::string::npos);
  for (const char* name : {"F32", "Q6_K", "I2_S"})
    EXPECT_NE(describe_refused_type(777).find(name), std::string::npos) << name;
}

TEST(TensorTypes, HaveASizeWhetherTheyAreReadOrNot) {
  constexpr std::uint64_t kRoom = std::uint64_t{1} << 40;
  const auto bytes_per_2560 = [](std::uint32_t id) { return n_bytes_of_type(id, 1, 2560, kRoom); };
  EXPECT_EQ(bytes_per_2560(0), 10240U);       // F32
  EXPECT_EQ(bytes_per_2560(36), 640U + 32U);  // I2_S, with its tail
  // Bits for a weight as ggml's documentation has them.
  const std::vector<std::pair<std::uint32_t, double>> bits{
      {3, 5.0},     {6, 5.5},     {7, 6.0},     {10, 2.625},  {11, 3.4375}, {12, 4.5},
      {13, 5.5},    {16, 2.0625}, {17, 2.3125}, {18, 3.0625}, {19, 1.5625}, {20, 4.5},
      {21, 3.4375}, {22, 2.5625}, {23, 4.25},   {24, 8.0},    {25, 16.0},   {26, 32.0},
      {27, 64.0},   {28, 64.0},   {29, 1.75},   {34, 1.6875}, {35, 2.0625}, {37, 8.0},
      {39, 4.25},   {40, 4.5},    {41, 1.125},  {142, 2.125}, {143, 1.75}};
  for (const auto& [id, expected] : bits) {
    EXPECT_EQ(static_cast<double>(bytes_per_2560(id)) * 8 / 2560, expected) << id;
    EXPECT_EQ(n_bytes_of_type(id, 7, 2560, kRoom), 7 * bytes_per_2560(id)) << id;
  }
  EXPECT_EQ(name_of_type(35), "TQ2_0");
  EXPECT_EQ(name_of_type(36), "I2_S");
}

TEST(TensorTypes, OfSeveralFormatsAreTakenForTheOneThatFillsTheRoom) {
  for (const std::uint64_t wanted : {4U * 720U, 4U * 680U, 4U * 420U}) {  // 18 of 64, 34 of 128, 42 of 256
    EXPECT_EQ(n_bytes_of_type(42, 4, 2560, wanted), wanted);
    EXPECT_EQ(n_bytes_of_type(42, 4, 2560, wanted + 31), wanted);
  }
  // Nothing is known of these, or nothing fits: all there is.
  EXPECT_EQ(n_bytes_of_type(38, 4, 2560, 1000), 1000U);
  EXPECT_EQ(n_bytes_of_type(777, 4, 2560, 1000), 1000U);
  EXPECT_EQ(n_bytes_of_type(12, 4, 2560, 1000), 1000U);
  EXPECT_EQ(n_bytes_of_type(12, 4, 100, 1000), 1000U);
  EXPECT_EQ(n_bytes_of_type(28, std::uint64_t{1} << 60, 1, 1000), 1000U);  // 2^63 bytes
  EXPECT_EQ(name_of_type(777), "type 777");
}

}  // namespace
}  // namespace bitnet::quant
