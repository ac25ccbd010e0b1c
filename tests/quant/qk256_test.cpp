#include "quant/qk256.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace bitnet::quant::qk256 {
namespace {

TEST(QK256, AKnownByteHoldsFourNeighboursLowestBitsFirst) {
  std::vector<std::uint8_t> codes(kBlockBytes, 0b01'01'01'01);
  codes[3] = 0b11'10'01'00;
  std::vector<float> out(kBlock);
  decode_row({.codes = codes.data(), .cols = kBlock, .codebook = Codebook::four_level}, out.data());
  EXPECT_EQ(out[11], -1.0F);
  EXPECT_EQ(out[12], -2.0F);
  EXPECT_EQ(out[13], -1.0F);
  EXPECT_EQ(out[14], 1.0F);
  EXPECT_EQ(out[15], 2.0F);
  EXPECT_EQ(out[16], -1.0F);
}

TEST(QK256, CodebooksAreThoseOfTheFormat) {
  const std::uint8_t all[kBlockBytes] = {0b11'10'01'00};
  const auto first_four = [&](Codebook codebook) {
    std::vector<float> out(4);
    decode_row({.codes = all, .cols = 4, .codebook = codebook}, out.data());
    return out;
  };
  const std::vector<float> ternary = first_four(Codebook::ternary);
  EXPECT_EQ(std::vector(ternary.begin(), ternary.begin() + 3), (std::vector{-1.0F, 0.0F, 1.0F}));
  EXPECT_EQ(first_four(Codebook::four_level), (std::vector{-2.0F, -1.0F, 1.0F, 2.0F}));
  EXPECT_EQ(first_four(Codebook::thirds), (std::vector{-1.0F, -1.0F / 3, 1.0F / 3, 1.0F}));
}

TEST(QK256, EveryElementTakesTheScaleOfItsBlockToTheLastShortOne) {
  std::mt19937 rng(1);
  for (const std::size_t cols : {std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{257},
                                 std::size_t{640}, std::size_t{1023}}) {
    const std::size_t n_blocks = (cols + 255) / 256;
    std::vector<int> code(cols);
    std::vector<std::uint8_t> bytes(n_blocks * 64);
    for (std::size_t i = 0; i < cols; ++i) {
      code[i] = static_cast<int>(rng() % 3);
      bytes[i / 4] = static_cast<std::uint8_t>(bytes[i / 4] | code[i] << (i % 4 * 2));
    }
    std::vector<float> scales(n_blocks);
    for (float& s : scales) s = static_cast<float>(rng() % 100) / 7.0F;
    std::vector<float> out(cols);
    decode_row({.codes = bytes.data(), .scales = scales.data(), .cols = cols}, out.data());
    for (std::size_t i = 0; i < cols; ++i)
      ASSERT_EQ(out[i], static_cast<float>(code[i] - 1) * scales[i / 256]) << cols << " " << i;
  }
}

}  // namespace
}  // namespace bitnet::quant::qk256
