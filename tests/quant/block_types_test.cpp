// Types whose blocks have scales of their own.
#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "quant/tensor_type.h"
#include "support/block_types.h"

namespace bitnet::quant {
namespace {

using test::kQ4_0;
using test::kQ6_K;
using test::kQ8_0;
using test::layout_of;

class BlockType : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  const TypeInfo& type = test::block_type(GetParam());
  test::BlockLayout layout = layout_of(GetParam());

  Matrix matrix(std::size_t rows, std::size_t cols, const std::vector<std::byte>& bytes) const {
    return {type.type, rows, cols, bytes.data(), type.tensor_scale(bytes.data(), rows, cols)};
  }
};

TEST_P(BlockType, EveryElementOfEveryRowDecodesByTheFormatsWords) {
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, std::size_t{7}}) {
    for (const std::size_t blocks : {std::size_t{1}, std::size_t{3}, std::size_t{10}}) {
      const std::size_t cols = blocks * layout.elements;
      const auto packed = test::random_blocks(GetParam(), rows * cols, static_cast<unsigned>(rows + cols));
      ASSERT_EQ(type.n_bytes(rows, cols), packed.bytes.size());
      Matrix w = matrix(rows, cols, packed.bytes);
      EXPECT_EQ(w.scale, 1.0F);
      std::vector<float> row(cols);
      for (const float scale : {1.0F, 0.5F}) {
        w.scale = scale;
        for (std::size_t r = 0; r < rows; ++r) {
          type.decode_row(w, r, row.data());
          for (std::size_t i = 0; i < cols; ++i)
            ASSERT_EQ(row[i], packed.values[r * cols + i] * scale) << r << "," << i;
        }
      }
    }
  }
}

TEST_P(BlockType, ItsBlocksAreAsLongAsTheFormatSays) {
  EXPECT_EQ(type.block, layout.elements);
  EXPECT_EQ(type.n_bytes(1, layout.elements), layout.bytes);
  EXPECT_FALSE(type.ternary);
}

TEST_P(BlockType, TheFirstScaleThatIsNotFiniteIsFoundWhereverItIs) {
  const std::size_t rows = 5;
  const std::size_t per_row = 3;
  const std::size_t cols = per_row * layout.elements;
  const auto packed = test::random_blocks(GetParam(), rows * cols, 9);
  const Matrix sound = matrix(rows, cols, packed.bytes);
  EXPECT_FALSE(type.check.find_fault(sound, 0, rows).has_value());
  const auto spoil = [&](std::vector<std::byte>& bytes, std::size_t block, std::uint16_t d) {
    std::memcpy(&bytes[block * layout.bytes + layout.scale_at], &d, sizeof d);
  };
  for (std::size_t at = 0; at < rows * per_row; ++at) {
    for (const std::uint16_t d : std::initializer_list<std::uint16_t>{0x7C00, 0xFC00, 0x7E00, 0xFC01}) {
      auto bytes = packed.bytes;
      spoil(bytes, rows * per_row - 1, 0x7C00);  // the last: the first only when it is the one
      spoil(bytes, at, d);
      const Matrix w = matrix(rows, cols, bytes);
      ASSERT_EQ(type.check.find_fault(w, 0, rows), at);
      ASSERT_EQ(type.check.find_fault(w, at / per_row, at / per_row + 1), at);
      ASSERT_FALSE(type.check.find_fault(w, 0, at / per_row).has_value());
    }
  }
  auto bytes = packed.bytes;
  spoil(bytes, 1, 0xFBFF);  // the largest there is
  EXPECT_FALSE(type.check.find_fault(matrix(rows, cols, bytes), 0, rows).has_value());
}

class WithMinima : public BlockType {};

TEST_P(WithMinima, AnotherScaleThatIsNotFiniteIsFoundToo) {
  auto packed = test::random_blocks(GetParam(), 3 * layout.elements, 9);
  const std::uint16_t not_a_number = 0x7E00;
  std::memcpy(&packed.bytes[2 * layout.bytes + layout.minimum_at], &not_a_number, sizeof not_a_number);
  EXPECT_EQ(type.check.find_fault(matrix(1, 3 * layout.elements, packed.bytes), 0, 1), 2);
}

INSTANTIATE_TEST_SUITE_P(Types, BlockType,
                         ::testing::Values(kQ8_0, kQ6_K, kQ4_0, test::kQ5_K, test::kQ4_K, test::kQ3_K,
                                           test::kQ2_K, test::kQ5_1, test::kQ5_0, test::kQ4_1, test::kIQ4_NL,
                                           test::kTQ1_0, test::kTQ2_0, test::kQ1_0, test::kQ2_0, test::kPQ2_0,
                                           test::kPTQ1_0),
                         [](const auto& i) { return std::string(test::block_type(i.param).name); });

INSTANTIATE_TEST_SUITE_P(Types, WithMinima,
                         ::testing::Values(test::kQ5_K, test::kQ4_K, test::kQ2_K, test::kQ5_1, test::kQ4_1),
                         [](const auto& i) { return std::string(test::block_type(i.param).name); });

std::vector<float> decode_one(std::uint32_t id, const std::vector<std::byte>& bytes) {
  const TypeInfo& type = test::block_type(id);
  std::vector<float> row(type.block);
  type.decode_row({type.type, 1, type.block, bytes.data(), 1.0F}, 0, row.data());
  return row;
}

TEST(Q4_0, AKnownByteHoldsTwoElementsSixteenApart) {
  std::vector<std::byte> bytes(18, std::byte{0x88});
  bytes[0] = std::byte{0};
  bytes[1] = std::byte{0x3C};  // d = 1
  bytes[2 + 5] = std::byte{0xF1};
  std::vector<float> want(32, 0.0F);
  want[5] = -7.0F;
  want[21] = 7.0F;
  EXPECT_EQ(decode_one(kQ4_0, bytes), want);
}

// Bytes with one element set each, at the places that ggml's own packing gives it.
TEST(Q6_K, KnownBytesHoldFourElementsThirtyTwoApart) {
  std::vector<std::byte> bytes(210);
  bytes[209] = std::byte{0x3C};                                     // d = 1
  for (std::size_t i = 192; i < 208; ++i) bytes[i] = std::byte{1};  // scales
  bytes[192 + 1] = std::byte{2};                                    // of elements 16..31
  bytes[192 + 15] = std::byte{0xFD};                                // -3, of elements 240..255
  std::vector<float> want(256, -32.0F);
  for (std::size_t i = 16; i < 32; ++i) want[i] *= 2;
  for (std::size_t i = 240; i < 256; ++i) want[i] *= -3;
  bytes[20] = std::byte{0xA5};                 // ql of the first half: elements 20 and 84
  bytes[128 + 20] = std::byte{0b01'10'11'00};  // qh: elements 20, 52, 84, 116
  want[20] = 2 * (5.0F - 32);
  want[52] = 48.0F - 32;
  want[84] = 10 + 32.0F - 32;
  want[116] = 16.0F - 32;
  bytes[64 + 32 + 31] = std::byte{0xF2};  // ql of the second half: elements 128 + 63, 128 + 127
  bytes[128 + 32 + 31] = std::byte{0b11'00'00'00};
  want[128 + 63] = 2.0F - 32;
  want[255] = -3 * (63.0F - 32);
  EXPECT_EQ(decode_one(kQ6_K, bytes), want);
}

// By ggml's own words: bits of known bytes, and the elements that they belong to.
TEST(Q4_K, KnownBytesHoldTwoElementsThirtyTwoApart) {
  std::vector<std::byte> bytes(144);
  bytes[1] = std::byte{0x3C};                 // d = 1
  bytes[3] = std::byte{0x40};                 // m = 2
  bytes[4 + 0] = std::byte{0b01'000011};      // scale 0 is 3; 1 goes above the low bits of scale 4
  bytes[4 + 4 + 1] = std::byte{0b10'000101};  // minimum 1 is 5; 2 goes above those of minimum 5
  bytes[4 + 8 + 0] = std::byte{0x07};         // scale 4 is 7 + 16
  bytes[4 + 8 + 1] = std::byte{0x90};         // minimum 5 is 9 + 32
  bytes[16 + 6] = std::byte{0xA4};            // elements 6 and 38
  bytes[16 + 64 + 31] = std::byte{0x0F};      // element 128 + 31
  std::vector<float> want(256, 0.0F);
  for (std::size_t i = 32; i < 64; ++i) want[i] = -10;    // minimum 1, twice
  for (std::size_t i = 160; i < 192; ++i) want[i] = -82;  // minimum 5
  want[6] = 3 * 4;
  want[159] = 23 * 15;
  EXPECT_EQ(decode_one(test::kQ4_K, bytes), want);  // scale 1 is 0
}

TEST(IQ4_NL, AKnownByteHoldsTwoElementsSixteenApart) {
  std::vector<std::byte> bytes(18);
  bytes[1] = std::byte{0x3C};      // d = 1
  bytes[2 + 5] = std::byte{0x8F};  // element 5 and element 21
  std::vector<float> want(32, -127.0F);
  want[5] = 113;
  want[21] = 1;
  EXPECT_EQ(decode_one(test::kIQ4_NL, bytes), want);
}

TEST(Q5_0, KnownBitsAreTheFifthOfTheirElements) {
  std::vector<std::byte> bytes(22);
  bytes[1] = std::byte{0x3C};            // d = 1
  bytes[2] = std::byte{0b00100000};      // of element 5
  bytes[2 + 3] = std::byte{0b10000000};  // of element 31
  bytes[6 + 5] = std::byte{0x12};        // elements 5 and 21
  std::vector<float> want(32, -16.0F);
  want[5] = 2;
  want[21] = -15;
  want[31] = 0;
  EXPECT_EQ(decode_one(test::kQ5_0, bytes), want);
}

// Blocks of zeros with d = 1 and some bytes set: which elements these are, by the format's words.
std::vector<float> decode_with(std::uint32_t id,
                               std::initializer_list<std::pair<std::size_t, unsigned>> set) {
  const test::BlockLayout layout = layout_of(id);
  std::vector<std::byte> bytes(layout.bytes);
  bytes[layout.scale_at + 1] = std::byte{0x3C};
  for (const auto& [at, byte] : set) bytes[at] = static_cast<std::byte>(byte);
  return decode_one(id, bytes);
}

std::vector<float> minus_ones_but(std::size_t n,
                                  std::initializer_list<std::pair<std::size_t, float>> others) {
  std::vector<float> values(n, -1.0F);
  for (const auto& [at, value] : others) values[at] = value;
  return values;
}

TEST(Q2_0, AKnownByteHoldsFourNeighboursLowestBitsFirst) {
  EXPECT_EQ(decode_with(test::kQ2_0, {{2 + 3, 0b11'10'01'00}}),
            minus_ones_but(64, {{13, 0.0F}, {14, 1.0F}, {15, 2.0F}}));
  EXPECT_EQ(decode_with(test::kPQ2_0, {{2 + 31, 0b11'10'01'00}}),
            minus_ones_but(128, {{125, 0.0F}, {126, 1.0F}, {127, 2.0F}}));
}

TEST(TQ2_0, AKnownByteHoldsFourElementsThirtyTwoApart) {
  EXPECT_EQ(decode_with(test::kTQ2_0, {{5, 0b11'10'01'00}, {32 + 31, 0b10'00'00'01}}),
            minus_ones_but(256, {{37, 0.0F}, {69, 1.0F}, {101, 2.0F}, {159, 0.0F}, {255, 1.0F}}));
}

TEST(Q1_0, AKnownByteHoldsEightNeighboursLowestBitFirst) {
  EXPECT_EQ(decode_with(test::kQ1_0, {{2 + 1, 0b10000001}, {2 + 15, 0b00000010}}),
            minus_ones_but(128, {{8, 1.0F}, {15, 1.0F}, {121, 1.0F}}));
}

// 0.12000 in base 3 is 5 / 9, and 143 / 256 the first fraction of that kind which is not less.
TEST(TQ1_0, AKnownByteHoldsDigitsOfBaseThreeARunApart) {
  EXPECT_EQ(decode_with(test::kTQ1_0, {{7, 143}, {32 + 15, 143}, {48 + 2, 143}}),
            minus_ones_but(256, {{7, 0.0F}, {39, 1.0F}, {175, 0.0F}, {191, 1.0F}, {242, 0.0F}, {246, 1.0F}}));
}

TEST(PTQ1_0, AKnownByteHoldsDigitsOfBaseThreeARunApart) {
  EXPECT_EQ(decode_with(test::kPTQ1_0, {{7, 143}, {16 + 5, 143}, {24 + 1, 143}}),
            minus_ones_but(128, {{7, 0.0F}, {23, 1.0F}, {85, 0.0F}, {93, 1.0F}, {121, 0.0F}, {123, 1.0F}}));
}

// Those that no packing gives, too: 256 bytes stand for 243 numbers.
TEST(BaseThree, EveryByteHasTheDigitsOfTheFormula) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::vector<float> values = decode_with(test::kTQ1_0, {{31, byte}, {48, byte}});
    unsigned power = 1;
    for (std::size_t digit = 0; digit < 5; ++digit, power *= 3) {
      const unsigned code = byte * power % 256 * 3 / 256;
      EXPECT_EQ(values[32 * digit + 31], static_cast<float>(code) - 1) << byte << " " << digit;
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      EXPECT_EQ(values[240 + 4 * digit], values[32 * digit + 31]) << byte << " " << digit;
    }
  }
}

}  // namespace
}  // namespace bitnet::quant
