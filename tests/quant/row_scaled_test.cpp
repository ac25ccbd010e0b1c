#include "quant/row_scaled.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "quant/coded_row.h"
#include "quant/file_types.h"
#include "quant/i2_s.h"
#include "support/row_scaled_types.h"
#include "support/text_holds.h"

namespace bitnet::quant {
namespace {

using test::has;
using test::pack_row_scaled;

class RowScaled : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  static const TypeInfo& type() { return *find_type(GetParam()); }
  static std::size_t rows_together() { return type().row_scaled->rows_together; }
};

INSTANTIATE_TEST_SUITE_P(Types, RowScaled, ::testing::Values(test::kIq2Bn, test::kIq2BnR4, test::kIq1Bn),
                         [](const auto& i) { return std::string(find_type(i.param)->name); });

struct Drawn {
  std::vector<std::int8_t> trits;
  std::vector<float> scales;  // f16 numbers
};

Drawn draw(std::size_t rows, std::size_t cols) {
  std::mt19937 random(5);
  Drawn drawn{std::vector<std::int8_t>(rows * cols), std::vector<float>(rows)};
  for (std::int8_t& trit : drawn.trits) trit = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  for (float& scale : drawn.scales) scale = static_cast<float>(1 + random() % 500) / 256.0F;
  return drawn;
}

TEST_P(RowScaled, EveryElementOfEveryRowDecodesByTheFormatsTable) {
  for (const std::size_t rows : {rows_together(), 3 * rows_together()}) {
    for (const std::size_t cols : {64U, 128U, 320U}) {
      const Drawn drawn = draw(rows, cols);
      const auto bytes = pack_row_scaled(GetParam(), drawn.trits, drawn.scales);
      ASSERT_EQ(type().n_bytes(rows, cols), bytes.size());
      const Matrix w{type().type, rows, cols, bytes.data(), 0.5F};
      std::vector<float> values(cols);
      CodedRow codes;
      for (std::size_t r = 0; r < rows; ++r) {
        type().decode_row(w, r, values.data());
        ASSERT_TRUE(read_coded_row(w, r, codes));
        std::vector<float> of_codes(cols);
        decode_row(codes, of_codes.data());
        EXPECT_EQ(of_codes, values);
        for (std::size_t i = 0; i < cols; ++i)
          ASSERT_EQ(values[i], 0.5F * drawn.scales[r] * drawn.trits[r * cols + i]) << r << "," << i;
      }
      EXPECT_FALSE(type().check.find_fault(w, 0, rows).has_value());
    }
  }
}

TEST_P(RowScaled, AScaleThatIsNoFiniteNumberIsFoundByItsRow) {
  Drawn drawn = draw(8, 128);
  drawn.scales[5] = std::numeric_limits<float>::infinity();
  const auto bytes = pack_row_scaled(GetParam(), drawn.trits, drawn.scales);
  const Matrix w{type().type, 8, 128, bytes.data()};
  EXPECT_EQ(type().check.find_fault(w, 0, 8), 5U);
  EXPECT_EQ(type().check.find_fault(w, 0, 4), std::nullopt);
}

TEST_P(RowScaled, RowsOfOneScaleAreThoseOfI2S) {
  Drawn drawn = draw(4, 256);
  std::fill_n(drawn.scales.begin(), 4, 0.625F);
  const auto bytes = pack_row_scaled(GetParam(), drawn.trits, drawn.scales);
  const Matrix w{type().type, 4, 256, bytes.data()};
  EXPECT_TRUE(reads_coded_rows(w.type));
  EXPECT_FALSE(has_coded_rows(w.type));
  CodedRow codes;
  for (std::size_t r = 0; r < 4; ++r) {
    read_coded_row(w, r, codes);
    std::vector<std::byte> i2_s(coded_row_bytes(TensorType::i2_s, 256));
    EXPECT_EQ(write_coded_row(codes, TensorType::i2_s, 0.625F, i2_s.data()), CodedFit::exact);
    std::vector<float> values(256);
    i2_s::decode_row({TensorType::i2_s, 1, 256, i2_s.data(), 0.625F}, 0, values.data());
    for (std::size_t i = 0; i < 256; ++i) ASSERT_EQ(values[i], 0.625F * drawn.trits[r * 256 + i]);
  }
}

TEST(RowScaledTypes, TheCodeThreeIsFoundByItsRow) {
  for (const std::uint32_t id : {test::kIq2Bn, test::kIq2BnR4}) {
    const TypeInfo& type = *find_type(id);
    const Drawn drawn = draw(8, 128);
    for (std::size_t r = 0; r < 8; ++r) {
      auto bytes = pack_row_scaled(id, drawn.trits, drawn.scales);
      // The first byte of the row's last sixteen elements.
      const std::size_t at =
          id == test::kIq2Bn ? r * (4 + 32) + 4 + 31 : r / 4 * 4 * (4 + 32) + 16 + 7 * 16 + r % 4 * 4;
      bytes[at] |= std::byte{0b1100};
      EXPECT_EQ(type.check.find_fault({type.type, 8, 128, bytes.data()}, 0, 8), r) << type.name;
    }
  }
}

TEST(RowScaledTypes, EveryByteOfBase3IsRead) {
  std::vector<std::byte> bytes(2 + 13);
  const std::uint16_t one = 0x3C00;
  std::memcpy(bytes.data(), &one, sizeof one);
  std::vector<float> values(64);
  for (int byte = 0; byte < 256; ++byte) {
    bytes[2 + 4] = static_cast<std::byte>(byte);
    bytes[2 + 12] = static_cast<std::byte>(byte);
    decode_row_scaled({TensorType::iq1_bn, 1, 64, bytes.data()}, 0, values.data());
    int fraction = byte;
    for (int digit = 0; digit < 5; ++digit) {
      fraction *= 3;
      EXPECT_EQ(values[static_cast<std::size_t>(16 + 5 + 4 - digit)], static_cast<float>(fraction / 256 - 1));
      // The last byte of a block has four digits, from the second on.
      if (digit > 0) {
        EXPECT_EQ(values[static_cast<std::size_t>(16 * (4 - digit) + 15)],
                  static_cast<float>(fraction / 256 - 1));
      }
      fraction %= 256;
    }
  }
}

TEST(RowScaledTypes, RowsThatAreNotWholeFoursAreRefused) {
  const StoredTensor odd{.id = test::kIq2BnR4, .rows = 6, .cols = 64, .room = 1000, .alignment = 32};
  EXPECT_EQ(find_type(odd), nullptr);
  EXPECT_TRUE(
      has(describe_refused_type(odd), "IQ2_BN_R4, has its rows in groups of 4, and 6 are not whole ones"));
  EXPECT_EQ(n_bytes_of_type(odd), 1000U);
}

}  // namespace
}  // namespace bitnet::quant
