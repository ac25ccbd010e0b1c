// Rows of codes, read from one type and written as another.
#include "quant/coded_row.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/half.h"
#include "quant/coded_rows.h"
#include "quant/i2_s.h"
#include "quant/stored_matrix.h"
#include "support/block_types.h"
#include "support/gguf_builder.h"

namespace bitnet::quant {
namespace {

using enum TensorType;
using made_rows::Bytes;
using made_rows::coded;
using made_rows::filled;
using made_rows::values_of;
using made_rows::write;
using made_rows::Written;
using test::stored_matrix;

// All that there are: a new one is tried as the others are.
std::vector<TensorType> coded_types() {
  std::vector<TensorType> types;
  for (const TypeInfo& type : quant::all_types()) {
    if (has_coded_rows(type.type)) types.push_back(type.type);
  }
  return types;
}

// Those that hold -1, 0 and +1 with a scale for each block or the tensor.
constexpr std::array kTernaryTypes{
    i2_s, q2_0_64, q2_0_128, pq2_0, tq1_0, tq2_0, ptq1_0, qk256_scaled_ternary, bitnet32};

// Codes in sequence, and scales of any finite value.
Bytes sequential_blocks(const CodedType& type, std::size_t rows, std::size_t cols, std::mt19937& random) {
  Bytes bytes(rows * type.row_bytes(cols));
  for (std::size_t at = 0; at < bytes.size(); at += type.block_bytes) {
    const std::size_t in_row = at % type.row_bytes(cols) / type.block_bytes * type.block;
    for (std::size_t j = 0; j < std::min(type.block, cols - in_row); ++j) {
      bytes[at + j / 4] |= static_cast<std::byte>(random() % type.n_codes << (2 * (j % 4)));
    }
    if (type.scale_at == CodedType::kNoScale) continue;
    const auto d = static_cast<std::uint16_t>(random() % 0x7C00 | (random() % 2) << 15);
    std::memcpy(&bytes[at + type.scale_at], &d, sizeof d);
  }
  return bytes;
}

Bytes random_rows(TensorType type, std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 random(seed);
  if (type == i2_s) {
    std::vector<std::int8_t> trits(rows * cols);
    for (auto& t : trits) t = static_cast<std::int8_t>(random() % 3) - 1;
    return test::pack_i2s(trits, 0.0123F);
  }
  if (info(type).id == kNoFileId) return sequential_blocks(*info(type).coded, rows, cols, random);
  const std::uint32_t id = type == q2_0_128 ? test::kPQ2_0 : info(type).id;
  return test::random_blocks(id, rows * cols, seed).bytes;
}

std::vector<unsigned> random_codes(std::size_t n, unsigned n_codes, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<unsigned> codes(n);
  for (unsigned& code : codes) code = static_cast<unsigned>(random() % n_codes);
  return codes;
}

class CodedRows : public ::testing::TestWithParam<TensorType> {};
INSTANTIATE_TEST_SUITE_P(Types, CodedRows, ::testing::ValuesIn(coded_types()), [](const auto& i) {
  std::string name(quant::info(i.param).name);
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST_P(CodedRows, AreReadAsTheValuesThatTheTypeHoldsAndWrittenBackAsTheSameBytes) {
  const TypeInfo& type = info(GetParam());
  constexpr std::size_t kRows = 3;
  std::vector<std::size_t> lengths{type.block, 3 * type.block, 7 * type.block};
  if (type.id == kNoFileId) lengths.push_back(256 + 32);  // a block that the row's end cuts
  for (const std::size_t cols : lengths) {
    const Bytes bytes = random_rows(type.type, kRows, cols, static_cast<unsigned>(cols));
    const Matrix w = stored_matrix(type.type, kRows, cols, bytes);
    const std::size_t row_bytes = coded_row_bytes(type.type, cols);
    CodedRow row;
    for (std::size_t r = 0; r < kRows; ++r) {
      ASSERT_TRUE(read_coded_row(w, r, row));
      ASSERT_EQ(values_of(row), values_of(w, r)) << cols << " " << r;
      const Written written = write(row, type.type, w.scale);
      EXPECT_EQ(written.fit, CodedFit::exact);
      EXPECT_TRUE(std::ranges::equal(written.bytes, std::span(bytes).subspan(r * row_bytes, row_bytes)))
          << cols << " " << r;
    }
  }
}

TEST_P(CodedRows, KeepScalesOfEveryKind) {
  const TypeInfo& type = info(GetParam());
  if (type.coded == nullptr || type.coded->scale_at == CodedType::kNoScale) return;
  for (const std::uint16_t d : std::initializer_list<std::uint16_t>{0x7BFF, 0xFBFF, 0x0001, 0x8001, 0x03FF,
                                                                    0x0400, 0x0000, 0x8000, 0x3C00}) {
    Bytes bytes = random_rows(type.type, 1, 256, d);
    for (std::size_t at = 0; at < bytes.size(); at += type.coded->block_bytes) {
      std::memcpy(&bytes[at + type.coded->scale_at], &d, sizeof d);
    }
    CodedRow row;
    ASSERT_TRUE(read_coded_row(stored_matrix(type.type, 1, 256, bytes), 0, row));
    const Written written = write(row, type.type);
    EXPECT_EQ(written.fit, CodedFit::exact) << d;
    EXPECT_EQ(written.bytes, bytes) << d;
  }
}

TEST(CodedRow, IsReadWithTheScaleOfTheWholeTensorMultipliedIn) {
  const Bytes bytes = random_rows(tq2_0, 1, 512, 3);
  Matrix w = stored_matrix(tq2_0, 1, 512, bytes);
  w.scale = 0.3F;
  CodedRow row;
  ASSERT_TRUE(read_coded_row(w, 0, row));
  EXPECT_EQ(values_of(row), values_of(w, 0));
  EXPECT_EQ(write(row, tq2_0, 0.3F).bytes, bytes);
  EXPECT_EQ(write(row, tq2_0, 0.3F).fit, CodedFit::exact);
}

// (1/3 d) s and 1/3 (d s) may round differently.
TEST(CodedRow, OfThirdsIsNotReadWithAScaleOfTheWholeTensor) {
  const Bytes bytes = random_rows(qk256_scaled_thirds, 1, 256, 3);
  Matrix w = stored_matrix(qk256_scaled_thirds, 1, 256, bytes);
  w.scale = 0.3F;
  CodedRow row;
  EXPECT_FALSE(read_coded_row(w, 0, row));
}

TEST(CodedRow, EndsWithTheRowWhateverABlockHasBehindIt) {
  Bytes bytes = random_rows(qk256_scaled_ternary, 1, 256 + 32, 4);
  const Bytes clean = bytes;
  std::fill(bytes.begin() + 66 + 8, bytes.begin() + 66 + 64, std::byte{0xE4});
  CodedRow row;
  ASSERT_TRUE(read_coded_row(stored_matrix(qk256_scaled_ternary, 1, 256 + 32, bytes), 0, row));
  const Written written = write(row, qk256_scaled_ternary);
  EXPECT_EQ(written.fit, CodedFit::exact);
  EXPECT_EQ(written.bytes, clean);
}

TEST(CodedRow, IsNotReadFromFloats) {
  const std::vector<float> values(32, 1.0F);
  CodedRow row;
  EXPECT_FALSE(read_coded_row({f32, 1, 32, std::as_bytes(std::span(values)).data(), 1.0F}, 0, row));
  EXPECT_FALSE(has_coded_rows(f32));
  EXPECT_TRUE(has_coded_rows(i2_s));
}

// With a block of zeros amid them, which has the scale too.
TEST(CodedRow, GoesThroughEveryPairOfTernaryTypesAndBackToTheSameBytes) {
  constexpr float kScale = 0.3740234375F;  // an f16
  std::vector<unsigned> codes = random_codes(5 * 256, 3, 1);
  std::fill(codes.begin() + 256, codes.begin() + 512, 1U);
  const CodedRow first = coded(codes, std::vector<float>(5, kScale));
  const auto scale_of = [](TensorType type) { return type == i2_s ? kScale : 1.0F; };
  for (const TensorType from : kTernaryTypes) {
    const Written there = write(first, from, scale_of(from));
    ASSERT_EQ(there.fit, CodedFit::exact);
    for (const TensorType to : kTernaryTypes) {
      CodedRow row;
      ASSERT_TRUE(read_coded_row({from, 1, 5 * 256, there.bytes.data(), scale_of(from)}, 0, row));
      const Written other = write(row, to, scale_of(to));
      ASSERT_EQ(other.fit, CodedFit::exact) << info(from).name << " " << info(to).name;
      ASSERT_EQ(other.values, there.values) << info(from).name << " " << info(to).name;
      ASSERT_TRUE(read_coded_row({to, 1, 5 * 256, other.bytes.data(), scale_of(to)}, 0, row));
      const Written back = write(row, from, scale_of(from));
      ASSERT_EQ(back.fit, CodedFit::exact);
      ASSERT_EQ(back.bytes, there.bytes) << info(from).name << " " << info(to).name;
    }
  }
}

TEST(CodedRow, OfWhichPartsShareAScaleIsWrittenInLongerBlocks) {
  const std::vector<unsigned> codes = random_codes(256, 4, 5);
  const CodedRow row = coded(codes, {0.5F, 0.5F, -2.0F, -2.0F});
  const Written written = write(row, pq2_0);
  EXPECT_EQ(written.fit, CodedFit::exact);
  EXPECT_EQ(written.values, values_of(row));
  EXPECT_EQ(write(row, tq2_0).fit, CodedFit::differing_scales);
  EXPECT_EQ(write(coded(codes, {0.5F, 0.25F, 0.5F, 0.5F}), pq2_0).fit, CodedFit::differing_scales);
}

TEST(CodedRow, IsWrittenInShorterBlocksWithItsScaleInEach) {
  const CodedRow row = coded(random_codes(768, 3, 6), {0.5F, -0.125F, 0.0F});
  for (const TensorType type : {q2_0_64, pq2_0, ptq1_0, bitnet32}) {
    const Written written = write(row, type);
    EXPECT_EQ(written.fit, CodedFit::exact);
    EXPECT_EQ(written.values, values_of(row));
  }
}

TEST(CodedRow, HasZerosThatFitBesideAnyScale) {
  std::vector<unsigned> codes = random_codes(256, 3, 7);
  std::fill_n(codes.begin(), 64, 1U);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float of_zeros : {0.25F, 0.0F, -3.0F, 1e30F, 1e-30F}) {
    const CodedRow row = coded(codes, {of_zeros, 0.5F, 0.5F, 0.5F});
    for (const TensorType type : {q2_0_64, pq2_0, tq1_0, tq2_0, bitnet32}) {
      const Written written = write(row, type);
      EXPECT_EQ(written.fit, CodedFit::exact) << of_zeros << " " << info(type).name;
      EXPECT_EQ(written.values, values_of(row)) << of_zeros << " " << info(type).name;
    }
    EXPECT_EQ(write(row, i2_s, 0.5F).fit, CodedFit::exact);
    EXPECT_EQ(write(row, i2_s, 0.5F).values, values_of(row));
  }
  EXPECT_EQ(write(coded(codes, {inf, 0.5F, 0.5F, 0.5F}), pq2_0).fit, CodedFit::scale_out_of_range);
}

// Whatever their codes are.
TEST(CodedRow, HasZerosByAScaleOfZeroThatFitBesideAnyScale) {
  const CodedRow row = coded(random_codes(256, 3, 8), {0.5F, 0.0F, 0.0F, 0.5F});
  for (const TensorType type : {pq2_0, tq1_0, tq2_0, ptq1_0}) {
    const Written written = write(row, type);
    EXPECT_EQ(written.fit, CodedFit::exact) << info(type).name;
    EXPECT_EQ(written.values, values_of(row)) << info(type).name;
  }
  EXPECT_EQ(write(row, i2_s, 0.5F).values, values_of(row));
  const CodedRow levels = coded(random_codes(512, 4, 8), {0.0F, 0.5F}, Codebook::four_level);
  EXPECT_EQ(write(levels, qk256_scaled_four_level).fit, CodedFit::exact);
  EXPECT_EQ(write(levels, qk256_four_level, 0.5F).fit, CodedFit::differing_scales);
}

TEST(CodedRow, OfZerosAloneKeepsTheScaleOfItsFirstBlock) {
  const CodedRow row = coded(std::vector<unsigned>(256, 1), {0.5F, 0.25F, 2.0F, 1.0F});
  const auto first_scale = [&](TensorType type) {
    const Written written = write(row, type);
    EXPECT_EQ(written.fit, CodedFit::exact);
    EXPECT_EQ(written.values, std::vector<float>(256, 0.0F));
    return f16_to_f32(info(type).coded->scale_of(written.bytes.data()));
  };
  EXPECT_EQ(first_scale(q2_0_64), 0.5F);
  EXPECT_EQ(first_scale(tq1_0), 0.5F);
  EXPECT_EQ(first_scale(q1_0), 0.0F);  // which has no zeros but by this
}

TEST(CodedRow, IsRoundedWhereItsScaleIsNoF16) {
  const std::vector<unsigned> codes = random_codes(256, 3, 9);
  const float third = 1.0F / 3;
  const Written rounded = write(coded(codes, {third}), tq2_0);
  EXPECT_EQ(rounded.fit, CodedFit::rounded_scale);
  const float nearest = f16_to_f32(f32_to_f16(third));
  for (std::size_t j = 0; j < codes.size(); ++j) {
    ASSERT_EQ(rounded.values[j], nearest * (static_cast<float>(codes[j]) - 1));
  }
  // With the scale outside it is exact.
  const Written outside = write(coded(codes, {third}), tq2_0, third);
  EXPECT_EQ(outside.fit, CodedFit::exact);
  EXPECT_EQ(outside.bytes, write(coded(codes, {1.0F}), tq2_0).bytes);
}

TEST(CodedRow, IsRefusedWhereItsScaleIsOutOfRange) {
  const std::vector<unsigned> codes = random_codes(256, 3, 10);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float scale : {65520.0F, -1e30F, 1e-9F, nan, inf}) {
    EXPECT_EQ(write(coded(codes, {scale}), tq2_0).fit, CodedFit::scale_out_of_range) << scale;
  }
  EXPECT_EQ(write(coded(codes, {65519.0F}), tq2_0).fit, CodedFit::rounded_scale);
  EXPECT_EQ(write(coded(codes, {1.0F}), tq2_0, 0.0F).fit, CodedFit::scale_out_of_range);
}

TEST(CodedRow, FitsATypeOfOneScaleOnlyWithThat) {
  const CodedRow row = coded(random_codes(256, 3, 11), {0.1F});
  EXPECT_EQ(write(row, i2_s, 0.1F).fit, CodedFit::exact);
  EXPECT_EQ(write(row, i2_s, 0.1F).values, values_of(row));
  EXPECT_EQ(write(row, i2_s, 0.2F).fit, CodedFit::differing_scales);
  EXPECT_EQ(write(row, qk256_ternary, 0.1F).fit, CodedFit::exact);
  EXPECT_EQ(write(row, qk256_ternary).fit, CodedFit::differing_scales);
}

TEST(CodedRow, WithTwosFitsTypesOfFourCodesAlone) {
  const CodedRow row = coded(random_codes(256, 4, 12), {0.5F});
  for (const TensorType type : {q2_0_64, q2_0_128, pq2_0, tq2_0}) {
    EXPECT_EQ(write(row, type).fit, CodedFit::exact) << info(type).name;
    EXPECT_EQ(write(row, type).values, values_of(row)) << info(type).name;
  }
  for (const TensorType type : {tq1_0, ptq1_0, qk256_scaled_ternary, bitnet32, q1_0, qk256_scaled_thirds}) {
    EXPECT_EQ(write(row, type).fit, CodedFit::missing_code) << info(type).name;
  }
  EXPECT_EQ(write(row, i2_s, 0.5F).fit, CodedFit::missing_code);
}

TEST(CodedRow, WithoutZerosFitsTypesThatHaveNone) {
  std::vector<unsigned> codes = random_codes(512, 2, 13);
  for (unsigned& code : codes) code *= 2;
  const CodedRow row = coded(codes, {0.5F, -0.25F});
  for (const TensorType type : {q1_0, qk256_scaled_four_level, qk256_scaled_thirds}) {
    const Written written = write(row, type);
    EXPECT_EQ(written.fit, CodedFit::exact) << info(type).name;
    EXPECT_EQ(written.values, values_of(row)) << info(type).name;
    CodedRow back;
    ASSERT_TRUE(read_coded_row({type, 1, 512, written.bytes.data(), 1.0F}, 0, back));
    EXPECT_EQ(write(back, tq2_0).values, values_of(row)) << info(type).name;
  }
  codes[300] = 1;
  for (const TensorType type : {q1_0, qk256_scaled_four_level, qk256_scaled_thirds}) {
    EXPECT_EQ(write(coded(codes, {0.5F, -0.25F}), type).fit, CodedFit::missing_code) << info(type).name;
  }
}

// Rows of every kind of block, of scales that are alike, zero, of either sign, no f16, and out of range.
TEST(CodedRow, ThatIsSaidToFitReadsBackAsItsValues) {
  std::mt19937 random(16);
  const auto pick = [&random](const auto& from) { return from[random() % std::size(from)]; };
  constexpr std::array kBlocks{32U, 64U, 128U, 256U, 512U};
  constexpr std::array kScales{0.5F, 0.5F, 0.5F, -0.5F, 0.0F, 0.1F, 0x1p-24F, 65504.0F, 1e6F, 1e-9F};
  constexpr std::array kCodebooks{Codebook::ternary, Codebook::ternary, Codebook::four_level,
                                  Codebook::thirds};
  std::array<std::size_t, 5> seen{};
  for (unsigned n = 0; n < 400; ++n) {
    CodedRow row;
    row.codebook = pick(kCodebooks);
    row.resize(512, pick(kBlocks));
    const float common = pick(kScales);
    for (float& scale : row.scales) scale = random() % 4 == 0 ? pick(kScales) : common;
    const unsigned n_codes = row.codebook == Codebook::ternary ? 2 + static_cast<unsigned>(random() % 3) : 4;
    for (std::uint32_t& word : row.words) {
      const bool is_zero = row.codebook == Codebook::ternary && random() % 2 == 0;
      for (unsigned j = 0; j < 16; ++j) {
        word |= (is_zero ? 1U : static_cast<unsigned>(random() % n_codes)) << (2 * j);
      }
    }
    for (const TensorType type : coded_types()) {
      for (const float scale : {1.0F, 0.1F, common}) {
        const Written written = write(row, type, scale);
        ++seen[static_cast<std::size_t>(written.fit)];
        if (written.fit != CodedFit::exact) continue;
        ASSERT_EQ(written.values, values_of(row)) << n << " " << info(type).name << " " << scale;
      }
    }
  }
  for (const std::size_t times : seen) EXPECT_GT(times, 100U);
}

TEST(CodedRow, IsFoundInFloatsWithTheirScales) {
  std::vector<float> values(300, 0.0F);
  std::mt19937 random(14);
  const std::array scales{0.1F, 0.0F, 3e-40F, 65504.0F, 1e30F};
  for (std::size_t j = 0; j < values.size(); ++j) {
    values[j] = scales[j / 64] * (static_cast<float>(random() % 3) - 1);
  }
  values[3] = -0.0F;
  CodedRow row;
  ASSERT_TRUE(find_coded_row(values, 64, row));
  EXPECT_EQ(row.scales, std::vector<float>(scales.begin(), scales.end()));
  EXPECT_EQ(values_of(row), values);
  EXPECT_FALSE(find_coded_row(values, 128, row));
  EXPECT_FALSE(find_coded_row(values, values.size(), row));
}

TEST(CodedRow, IsNotFoundInFloatsOfSeveralMagnitudes) {
  CodedRow row;
  const std::vector<float> sound(64, 0.5F);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::size_t at : {0U, 1U, 40U, 63U}) {
    for (const float other : {0.25F, std::nextafter(0.5F, 1.0F), -1.0F, nan, inf}) {
      auto values = sound;
      values[at] = other;
      ASSERT_FALSE(find_coded_row(values, 64, row)) << at << " " << other;
      ASSERT_FALSE(find_coded_row(values, 32, row)) << at << " " << other;
    }
    auto values = sound;
    values[at] = -0.5F;
    ASSERT_TRUE(find_coded_row(values, 64, row));
    values[at] = 0.0F;
    ASSERT_TRUE(find_coded_row(values, 64, row));
  }
  EXPECT_FALSE(find_coded_row(std::vector<float>(64, inf), 64, row));
  EXPECT_FALSE(find_coded_row(std::vector<float>(64, nan), 64, row));
}

TEST(CommonScale, IsThatOfAllBlocksWhichAreNotZero) {
  const std::vector<unsigned> zeros(256, 1);
  const std::vector<unsigned> others = random_codes(256, 3, 15);
  CommonScale common;
  common.add(coded(zeros, {0.5F, 0.75F}));
  EXPECT_EQ(common.value(), 0.5F);
  common.add(coded(others, {0.25F, 0.25F}));
  common.add(coded(others, {0.25F, 0.0F}));
  EXPECT_EQ(common.value(), 0.25F);
  CommonScale same;
  same.add(coded(others, {0.25F}));
  common.add(same);
  EXPECT_EQ(common.value(), 0.25F);
  CommonScale different;
  different.add(coded(others, {0.3F}));
  EXPECT_EQ(different.value(), 0.3F);
  common.add(different);
  EXPECT_EQ(common.value(), std::nullopt);
  CommonScale later;
  later.add(common);
  EXPECT_EQ(later.value(), std::nullopt);
}

TEST(I2S, ATensorEndsInItsScaleAndZeros) {
  Bytes tail(33, std::byte{0xA5});
  i2_s::write_tail(1.5F, tail.data());
  EXPECT_EQ(tail, filled(33, 0, {{2, 0xC0}, {3, 0x3F}, {32, 0xA5}}));
}

}  // namespace
}  // namespace bitnet::quant
