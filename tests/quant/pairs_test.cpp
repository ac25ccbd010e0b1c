#include "quant/pairs.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "quant/avx2/pairs.h"

namespace bitnet::quant {
namespace {

using CodeWords = std::array<std::uint32_t, 8>;
using CodeBytes = std::array<std::byte, 32>;

constexpr int kRounds = 1000;

std::vector<std::byte> random_bytes(std::size_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<std::byte> bytes(n);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

CodeWords random_words(std::mt19937& random) {
  CodeWords words{};
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
  return words;
}

// Code j of words.
unsigned code_of(const std::uint32_t* words, std::size_t j) { return words[j / 16] >> (2 * (j % 16)) & 3U; }

// Byte m has the codes of elements m, 32 + m, 64 + m and 96 + m.
template <PairOrder order>
unsigned stored_code(const CodeBytes& bytes, std::size_t j) {
  return std::to_integer<unsigned>(bytes[j % 32]) >> shift_of_pair<order>(static_cast<unsigned>(j / 32)) & 3U;
}

template <PairOrder order>
void expect_all_read_and_write_alike() {
  std::mt19937 random(1);
  for (int round = 0; round < kRounds; ++round) {
    const CodeWords words = random_words(random);
    CodeBytes bytes{};
    everywhere::write_pairs<order>(words.data(), bytes.data());
    for (std::size_t j = 0; j < 128; ++j) {
      ASSERT_EQ(stored_code<order>(bytes, j), code_of(words.data(), j)) << j;
    }
    CodeWords read{};
    everywhere::read_pairs<order>(bytes.data(), read.data());
    ASSERT_EQ(read, words);
    CodeBytes chosen{};
    write_pairs<order>(words.data(), chosen.data());
    ASSERT_EQ(chosen, bytes);
    read = {};
    read_pairs<order>(bytes.data(), read.data());
    ASSERT_EQ(read, words);
  }
}

TEST(Pairs, AreReadAndWrittenAlikeWithAndWithoutAVX2LowestFirst) {
  expect_all_read_and_write_alike<PairOrder::lowest_first>();
}

TEST(Pairs, AreReadAndWrittenAlikeWithAndWithoutAVX2HighestFirst) {
  expect_all_read_and_write_alike<PairOrder::highest_first>();
}

TEST(Pairs, OfARowAreReadInGroupsOf64AtAnyBit) {
  for (const std::size_t n : {0U, 1U, 63U, 64U, 65U, 127U, 128U, 192U, 320U, 1000U}) {
    const std::vector<std::byte> bytes = random_bytes(n);
    for (unsigned bit = 0; bit < 8; bit += 2) {
      std::vector<std::uint32_t> words(n / 16 + 1, 0xABCDEF01);
      const std::size_t done = read_row_of_pairs(bit, bytes.data(), n, words.data());
      ASSERT_EQ(done, n / 64 * 64);
      for (std::size_t j = 0; j < done; ++j) {
        ASSERT_EQ(code_of(words.data(), j), std::to_integer<unsigned>(bytes[j]) >> bit & 3U) << n << ' ' << j;
      }
      ASSERT_EQ(words[done / 16], 0xABCDEF01) << "nothing behind them is written";
    }
  }
}

#ifdef __x86_64__
TEST(Pairs, AreReadByAVX2InGroupsOf128) {
  if (!avx2::is_there()) GTEST_SKIP() << "no AVX2";
  const std::vector<std::byte> bytes = random_bytes(300);
  std::vector<std::uint32_t> words(300 / 16 + 1);
  std::vector<std::uint32_t> wanted(words.size());
  ASSERT_EQ(avx2::read_row_of_pairs(4, bytes.data(), bytes.size(), words.data()), 256U);
  for (std::size_t i = 0; i < 256; i += 64) {
    everywhere::read_pairs_at(4, bytes.data() + i, wanted.data() + i / 16);
  }
  EXPECT_EQ(words, wanted);
}
#endif

}  // namespace
}  // namespace bitnet::quant
