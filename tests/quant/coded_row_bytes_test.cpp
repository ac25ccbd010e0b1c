// The bytes of each format, written out by hand.
#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "quant/coded_rows.h"

namespace bitnet::quant {
namespace {

using enum TensorType;
using made_rows::Bytes;
using made_rows::coded;
using made_rows::filled;
using made_rows::write;
using made_rows::Written;

// Bytes as the formats' words have them, for -1 in some places, +1 in others and 0 in the rest, with d = 1.
struct KnownBlock {
  TensorType type;
  std::vector<std::size_t> minus;
  std::vector<std::size_t> plus;
  Bytes bytes;
};

TEST(CodedRow, IsWrittenInTheBytesOfEachFormat) {
  const std::vector<KnownBlock> blocks{
      // Element j of 128 in byte j % 32 at bits 6 - 2 (j / 32).
      {i2_s, {5, 101}, {37, 127}, filled(32, 0x55, {{5, 0b00'10'01'00}, {31, 0b01'01'01'10}})},
      {q2_0_64, {0, 5}, {1, 63}, filled(18, 0x55, {{0, 0}, {1, 0x3C}, {2, 0x58}, {3, 0x51}, {17, 0x95}})},
      {pq2_0, {0, 5}, {1, 127}, filled(34, 0x55, {{0, 0}, {1, 0x3C}, {2, 0x58}, {3, 0x51}, {33, 0x95}})},
      {q2_0_128, {0, 5}, {1, 127}, filled(34, 0x55, {{0, 0}, {1, 0x3C}, {2, 0x58}, {3, 0x51}, {33, 0x95}})},
      // 0.11111 in base 3 is 121 / 243, that is 128 / 256 rounded up; 0.01111 is 40 / 243, 0.02111 67 / 243,
      // 0.11112 122 / 243, 0.11110 120 / 243 and 0.01110 39 / 243.
      {tq1_0,
       {7, 240},
       {39, 239},
       filled(54, 128, {{7, 71}, {47, 129}, {48, 42}, {49, 127}, {50, 127}, {51, 127}, {52, 0}, {53, 0x3C}})},
      {ptq1_0,
       {7, 120},
       {23, 119},
       filled(28, 128, {{7, 71}, {23, 129}, {24, 42}, {25, 127}, {26, 0}, {27, 0x3C}})},
      // Element 32 l + m of a half in byte m at bits 2 l.
      {tq2_0,
       {5, 101},
       {37, 255},
       filled(66, 0x55, {{5, 0b00'01'10'00}, {63, 0b10'01'01'01}, {64, 0}, {65, 0x3C}})},
      {qk256_ternary, {0, 5}, {1, 255}, filled(64, 0x55, {{0, 0x58}, {1, 0x51}, {63, 0x95}})},
      {qk256_scaled_ternary,
       {0, 5},
       {1, 255},
       filled(66, 0x55, {{0, 0x58}, {1, 0x51}, {63, 0x95}, {64, 0}, {65, 0x3C}})},
      {bitnet32, {0, 5}, {1, 31}, filled(10, 0x55, {{0, 0x58}, {1, 0x51}, {7, 0x95}, {8, 0}, {9, 0x3C}})},
  };
  for (const KnownBlock& block : blocks) {
    const CodedType* const type = info(block.type).coded;
    std::vector<float> values(type == nullptr ? 128 : type->block, 0.0F);
    for (const std::size_t j : block.minus) values[j] = -1.0F;
    for (const std::size_t j : block.plus) values[j] = 1.0F;
    CodedRow row;
    ASSERT_TRUE(find_coded_row(values, values.size(), row));
    const Written written = write(row, block.type);
    EXPECT_EQ(written.fit, CodedFit::exact) << info(block.type).name;
    EXPECT_EQ(written.bytes, block.bytes) << info(block.type).name;
    EXPECT_EQ(written.values, values) << info(block.type).name;
  }
}

TEST(CodedRow, OfOneBitIsWrittenInTheBytesOfItsFormat) {
  std::vector<float> values(128, -1.0F);
  for (const std::size_t j : {8U, 15U, 121U}) values[j] = 1.0F;
  CodedRow row;
  ASSERT_TRUE(find_coded_row(values, 128, row));
  const Written written = write(row, q1_0);
  EXPECT_EQ(written.fit, CodedFit::exact);
  EXPECT_EQ(written.bytes, filled(18, 0, {{1, 0x3C}, {3, 0x81}, {17, 0x02}}));
  EXPECT_EQ(written.values, values);
}

TEST(CodedRow, OfFourLevelsIsWrittenInTheBytesOfItsFormat) {
  std::vector<unsigned> codes(256, 0);
  codes[1] = 1;
  codes[2] = 2;
  codes[3] = 3;
  const Written written = write(coded(codes, {1.0F}, Codebook::four_level), qk256_scaled_four_level);
  EXPECT_EQ(written.bytes, filled(66, 0, {{0, 0xE4}, {65, 0x3C}}));
  EXPECT_EQ(written.values[0], -2.0F);
  EXPECT_EQ(written.values[3], 2.0F);
}

// As llama.cpp rounds them: up, from units of 1 / 243 to units of 1 / 256. With a fifth digit of 0 where
// there are four.
TEST(BaseThree, EveryStringOfDigitsHasTheByteThatIsItsNumberRoundedUp) {
  for (unsigned number = 0; number < 243; ++number) {
    std::vector<unsigned> codes(256, 0);
    unsigned unit = 81;
    for (std::size_t digit = 0; digit < 5; ++digit, unit /= 3) {
      codes[32 * digit + 9] = number / unit % 3;
      codes[160 + 16 * digit + 9] = number / unit % 3;
      if (digit < 4) codes[240 + 4 * digit + 2] = number / unit % 3;
    }
    const Written written = write(coded(codes, {1.0F}), tq1_0);
    const auto byte_of = [](unsigned n) { return static_cast<std::byte>((n * 256 + 242) / 243); };
    ASSERT_EQ(written.bytes[9], byte_of(number));
    ASSERT_EQ(written.bytes[32 + 9], byte_of(number));
    ASSERT_EQ(written.bytes[48 + 2], byte_of(number / 3 * 3));
    for (std::size_t j = 0; j < 256; ++j) ASSERT_EQ(written.values[j] + 1, static_cast<float>(codes[j]));
  }
}

}  // namespace
}  // namespace bitnet::quant
