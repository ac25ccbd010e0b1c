// The other layouts of I2_S, element by element against a packing written down independently.
#include "quant/i2_s_layouts.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/gguf_builder.h"

namespace bitnet::test {
namespace {

std::vector<std::int8_t> drawn_trits(std::size_t n) {
  std::mt19937 random(7);
  std::vector<std::int8_t> trits(n);
  for (std::int8_t& t : trits) t = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  return trits;
}

TEST(I2sLayouts, OfArmIsBroughtToThatOfX86) {
  for (const std::size_t n : {128U, 256U, 128U * 37}) {
    const std::vector<std::int8_t> trits = drawn_trits(n);
    const std::vector<std::byte> arm = pack_i2s(trits, 1, I2sLayout::arm);
    const std::vector<std::byte> want = pack_i2s(trits, 1, I2sLayout::x86);
    ASSERT_NE(arm, want);
    std::vector<std::byte> got = want;
    std::fill_n(got.begin(), n / 4, std::byte{0xFF});
    quant::i2_s::arm_to_x86(arm.data(), n / 4, got.data());
    EXPECT_EQ(got, want) << n;
  }
}

TEST(I2sLayouts, OfFourRowsIsBroughtToThatOfX86) {
  for (const std::size_t cols : {128U, 384U, 2560U}) {
    const std::vector<std::int8_t> trits = drawn_trits(4 * cols);
    const std::vector<std::byte> rows4 = pack_i2s(trits, 1, I2sLayout::rows4, cols);
    const std::vector<std::byte> want = pack_i2s(trits, 1, I2sLayout::x86);
    ASSERT_NE(rows4, want);
    std::vector<std::byte> got = want;
    std::fill_n(got.begin(), cols, std::byte{0xFF});
    quant::i2_s::rows4_to_x86(rows4.data(), cols, got.data());
    EXPECT_EQ(got, want) << cols;
  }
}

// The packing itself, at a few places that the words of quant/i2_s_layouts.h give.
TEST(I2sLayouts, LieAsTheyAreDescribed) {
  const std::size_t cols = 256;
  const auto place_of = [&](std::size_t row, std::size_t col, I2sLayout layout) {
    std::vector<std::int8_t> trits(8 * cols, -1);  // code 0
    trits[row * cols + col] = 1;                   // code 2
    const std::vector<std::byte> bytes = pack_i2s(trits, 1, layout, cols);
    for (std::size_t i = 0; i < 2 * cols; ++i) {
      for (std::size_t bit = 0; bit < 8; bit += 2) {
        if (bytes[i] == std::byte{2} << static_cast<int>(bit)) return std::pair{i, bit};
      }
    }
    return std::pair{bytes.size(), std::size_t{0}};
  };
  using Place = std::pair<std::size_t, std::size_t>;  // byte, bit
  EXPECT_EQ(place_of(1, 0, I2sLayout::x86), (Place{64, 6}));
  EXPECT_EQ(place_of(1, 130, I2sLayout::x86), (Place{98, 6}));
  EXPECT_EQ(place_of(1, 40, I2sLayout::x86), (Place{72, 4}));
  EXPECT_EQ(place_of(1, 40, I2sLayout::arm), (Place{72, 2}));
  EXPECT_EQ(place_of(1, 65, I2sLayout::arm), (Place{81, 6}));
  EXPECT_EQ(place_of(1, 40, I2sLayout::rows4), (Place{40, 4}));
  EXPECT_EQ(place_of(7, 255, I2sLayout::rows4), (Place{511, 0}));
}

}  // namespace
}  // namespace bitnet::test
