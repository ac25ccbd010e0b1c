// Floats rounded to the types that hold any: TypeInfo::encode_row.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "base/half.h"
#include "quant/coded_row.h"
#include "quant/stored_matrix.h"
#include "support/block_types.h"

namespace bitnet::quant {
namespace {

using enum TensorType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr std::array kBlockTypes{q8_0, q4_0, q6_k};

// nullopt where it says that it can't.
std::optional<std::vector<std::byte>> encode(TensorType type, const std::vector<float>& values) {
  std::vector<std::byte> bytes(info(type).n_bytes(1, values.size()), std::byte{0xA5});
  if (!info(type).encode_row(values.data(), values.size(), bytes.data())) return std::nullopt;
  return bytes;
}

std::vector<float> decode(TensorType type, std::size_t cols, const std::vector<std::byte>& bytes) {
  std::vector<float> values(cols);
  info(type).decode_row(test::stored_matrix(type, 1, cols, bytes), 0, values.data());
  return values;
}

std::vector<float> rounded(TensorType type, const std::vector<float>& values) {
  const auto bytes = encode(type, values);
  return bytes ? decode(type, values.size(), *bytes) : std::vector<float>{};
}

std::vector<float> normals(std::size_t n, float deviation, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(n);
  for (float& v : values) v = normal(random);
  return values;
}

double squared_error(const std::vector<float>& values, const std::vector<float>& others) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - static_cast<double>(others[i]);
    sum += difference * difference;
  }
  return sum;
}

// Of the root of the mean square.
double relative_error(const std::vector<float>& values, const std::vector<float>& others) {
  return std::sqrt(squared_error(values, others) / squared_error(values, std::vector<float>(values.size())));
}

TEST(EncodeRow, EveryTypeOfFilesIsWrittenByItOrAsCodesButForThoseThatAreOnlyRead) {
  const std::set<TensorType> others{q5_k,   q4_k,   q3_k,      q2_k,   q5_1,    q5_0, q4_1,
                                    iq4_nl, iq2_bn, iq2_bn_r4, iq1_bn, i8_rows, lanes};
  for (const TypeInfo& type : all_types()) {
    const int ways = (type.encode_row != nullptr) + has_coded_rows(type.type);
    EXPECT_EQ(ways, others.contains(type.type) ? 0 : 1) << type.name;
  }
}

TEST(EncodeRow, FloatsAreRoundedToTheNearestOfTheirType) {
  const std::vector<float> values{1.0F, -0.1F, 65504.0F, 6e-8F, 1.00048828125F, 1.00390625F, -0.0F};
  EXPECT_EQ(rounded(f32, values), values);
  const auto f16_values = rounded(f16, values);
  const auto bf16_values = rounded(bf16, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(f16_values[i], f16_to_f32(f32_to_f16(values[i])));
    EXPECT_EQ(bf16_values[i], bf16_to_f32(f32_to_bf16(values[i])));
  }
  EXPECT_EQ(f16_values[4], 1.0F);  // halves to even
  EXPECT_EQ(bf16_values[5], 1.0F);
  EXPECT_TRUE(std::signbit(bf16_values[6]));
}

TEST(EncodeRow, AFiniteFloatThatBecomesInfiniteIsReported) {
  EXPECT_TRUE(encode(f16, {65519.0F, kInfinity, kNan}));
  EXPECT_FALSE(encode(f16, {1.0F, 65520.0F}));
  EXPECT_FALSE(encode(f16, {-1e30F, 1.0F}));
  EXPECT_TRUE(encode(bf16, {3.38e38F, -kInfinity, kNan}));
  EXPECT_FALSE(encode(bf16, {std::numeric_limits<float>::max(), 1.0F}));
  EXPECT_TRUE(encode(f32, {kInfinity, kNan}));
}

TEST(EncodeRow, ABlockOfValuesThatAreNotFiniteOrTooLargeIsReported) {
  for (const TensorType type : kBlockTypes) {
    for (const float bad : {kInfinity, -kInfinity, kNan, 1e30F}) {
      auto values = normals(3 * 256, 1.0F, 1);
      values[700] = bad;
      EXPECT_FALSE(encode(type, values)) << info(type).name << " " << bad;
      values.assign(256, bad);
      EXPECT_FALSE(encode(type, values)) << info(type).name << " " << bad;
    }
  }
  std::vector<float> values(32, 1.0F);
  values[7] = 65504.0F * 127;
  EXPECT_TRUE(encode(q8_0, values));
  values[7] = 65520.0F * 127;
  EXPECT_FALSE(encode(q8_0, values));
  values.assign(256, 1.0F);
  values[7] = -65504.0F * 127 * 32;
  EXPECT_TRUE(encode(q6_k, values));
  values[7] = -65520.0F * 127 * 32;
  EXPECT_FALSE(encode(q6_k, values));
}

TEST(EncodeRow, ValuesTooSmallForAScaleBecomeZerosOrNearThem) {
  for (const TensorType type : kBlockTypes) {
    for (const float size : {1e-6F, 1e-8F, 1e-12F, 1e-38F, 1e-41F, 1e-45F}) {
      std::vector<float> values(512);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = size * static_cast<float>(i % 7);
      const auto found = rounded(type, values);
      ASSERT_EQ(found.size(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_LE(std::fabs(found[i] - values[i]), std::max(6 * size, 1e-6F))
            << info(type).name << " " << size;
      }
    }
    EXPECT_EQ(rounded(type, std::vector<float>(256, 0.0F)), std::vector<float>(256, 0.0F));
  }
}

// Blocks of any bits, and of finite values of every size.
TEST(EncodeRow, WhateverIsWrittenReadsBackAsFiniteValues) {
  std::mt19937 random(7);
  for (const TensorType type : kBlockTypes) {
    std::array<std::size_t, 2> seen{};
    for (unsigned n = 0; n < 600; ++n) {
      std::vector<float> values(256);
      const auto exponents = static_cast<std::uint32_t>(random() % 256);
      for (float& v : values) {
        auto bits = static_cast<std::uint32_t>(random());
        if (n % 8 != 0)
          bits = (bits & 0x807FFFFF) | static_cast<std::uint32_t>(random() % (exponents + 1)) << 23;
        v = std::bit_cast<float>(bits);
      }
      const auto found = rounded(type, values);
      ++seen[found.empty() ? 0 : 1];
      EXPECT_TRUE(std::ranges::all_of(found, [](float v) { return std::isfinite(v); })) << n;
    }
    EXPECT_GT(std::min(seen[0], seen[1]), 100U) << info(type).name;
  }
}

// As blocks of integers have room for them, whatever their range is.
TEST(EncodeRow, ValuesOfCodesAreHeldExactlyWhereTheirScaleIsAnF16) {
  std::mt19937 random(2);
  for (const TensorType type : kBlockTypes) {
    for (const float scale : {1.0F, 0.0247802734375F, 65504.0F, 0x1p-24F}) {
      std::vector<float> values(768);
      for (const unsigned n_codes : {3U, 4U}) {
        for (float& v : values) v = scale * (static_cast<float>(random() % n_codes) - 1);
        EXPECT_EQ(rounded(type, values), values) << info(type).name << " " << scale;
      }
      for (float& v : values) v = scale * (random() % 2 == 0 ? -1.0F : 2.0F);
      EXPECT_EQ(rounded(type, values), values) << info(type).name << " " << scale;
    }
  }
}

TEST(Q8_0, AreWrittenInTheBytesOfTheReference) {
  std::vector<float> values(32, 0.0F);
  values[0] = 127.0F;
  values[1] = 0.5F;  // halves away from zero
  values[2] = -0.5F;
  values[3] = 2.5F;
  values[4] = -127.0F;
  values[31] = 63.4F;
  std::vector<std::byte> want(34);
  want[1] = std::byte{0x3C};
  for (const auto& [at, q] : {std::pair{0, 127}, {1, 1}, {2, -1}, {3, 3}, {4, -127}, {31, 63}}) {
    want[static_cast<std::size_t>(2 + at)] = static_cast<std::byte>(q & 0xFF);
  }
  EXPECT_EQ(encode(q8_0, values), want);
}

TEST(Q8_0, AreRoundedByTheScaleThatWasNotRoundedItself) {
  std::vector<float> values(32, 0.0F);
  values[0] = 1.0F;
  values[1] = 0.49998F;  // 63.4975 by 1 / 127; 63.501 by the f16 below it
  const auto bytes = encode(q8_0, values);
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)[3], std::byte{63});
  EXPECT_LT(f16_to_f32(f32_to_f16(1.0F / 127)), 1.0F / 127);
}

TEST(Q4_0, AreWrittenInTheBytesOfTheReference) {
  std::vector<float> values(32, 0.0F);
  values[0] = -8.0F;
  values[1] = 0.5F;   // halves up
  values[2] = -0.5F;  // to 0
  values[15] = 7.6F;  // cut to 7
  values[16] = 3.0F;
  values[31] = -1.0F;
  std::vector<std::byte> want(18, std::byte{0x88});
  want[0] = std::byte{0};
  want[1] = std::byte{0x3C};
  want[2] = std::byte{0xB0};
  want[3] = std::byte{0x89};
  want[17] = std::byte{0x7F};
  EXPECT_EQ(encode(q4_0, values), want);
  for (float& v : values) v = -v;  // the scale takes the sign of the largest
  const auto bytes = encode(q4_0, values);
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)[1], std::byte{0xBC});
  EXPECT_EQ((*bytes)[2], std::byte{0xB0});
}

TEST(Q6_K, UnitsAreWrittenInTheBytesOfTheFormat) {
  std::vector<float> values(256, 0.0F);
  values[20] = 1.0F;          // ql[20] low, qh[20] bits 0 and 1
  values[128 + 127] = -1.0F;  // ql[64 + 32 + 31] high, qh[32 + 31] bits 6 and 7
  std::vector<std::byte> want(210, std::byte{0});
  std::fill(want.begin() + 128, want.begin() + 192, std::byte{0b10'10'10'10});
  std::fill(want.begin() + 192, want.begin() + 208, std::byte{1});
  want[20] = std::byte{1};
  want[127] = std::byte{0xF0};
  want[191] = std::byte{0b01'10'10'10};
  want[209] = std::byte{0x3C};
  EXPECT_EQ(encode(q6_k, values), want);
}

// Blocks whose largest code is there, as the reference makes them.
TEST(EncodeRow, BlocksThatTheReferenceCouldHaveMadeGetTheSameBytes) {
  constexpr std::size_t kBlocks = 40;
  const auto check = [](std::uint32_t id, TensorType type, std::size_t at, std::byte extreme,
                        bool is_signed) {
    const test::BlockLayout layout = test::layout_of(id);
    auto bytes = test::random_blocks(id, kBlocks * layout.elements, 3).bytes;
    for (std::size_t block = 0; block < kBlocks; ++block) {
      std::byte* const data = &bytes[block * layout.bytes];
      data[at] = extreme;
      if (!is_signed) data[1] &= std::byte{0x7F};
      for (std::size_t i = 2; is_signed == false && i < layout.bytes; ++i) {
        if (data[i] == std::byte{0x80}) data[i] = std::byte{0x7F};  // -128 is not made
      }
    }
    EXPECT_EQ(encode(type, decode(type, kBlocks * layout.elements, bytes)), bytes) << info(type).name;
  };
  check(test::kQ8_0, q8_0, 5, std::byte{127}, false);
  check(test::kQ4_0, q4_0, 5, std::byte{0x70}, true);
}

// Each group by its largest value alone, and the groups' scales to the nearest multiple of a 127th of theirs.
std::vector<float> by_largest_values(const std::vector<float>& values) {
  std::vector<float> rounded(values.size());
  for (std::size_t block = 0; block < values.size(); block += 256) {
    std::array<float, 16> scales{};
    for (std::size_t i = 0; i < 256; ++i) {
      const float v = values[block + i] / -32;
      if (std::fabs(v) > std::fabs(scales[i / 16])) scales[i / 16] = v;
    }
    float most = 0;
    for (const float s : scales) most = std::max(most, std::fabs(s));
    const float d = f16_to_f32(f32_to_f16(most / 127));
    for (std::size_t i = 0; i < 256; ++i) {
      const float scale = d * std::clamp(std::nearbyint(scales[i / 16] / d), -127.0F, 127.0F);
      const float q = std::nearbyint(scale == 0 ? 0 : values[block + i] / scale);
      rounded[block + i] = scale * std::clamp(q, -32.0F, 31.0F);
    }
  }
  return rounded;
}

// Measured: 1.66 % of the root of the mean square where the largest values alone leave 1.88 %.
TEST(Q6_K, HaveLessErrorThanScalesByTheLargestValueAlone) {
  for (const float deviation : {1.0F, 0.02F, 0.0001F, 1000.0F}) {
    const auto values = normals(64 * 256, deviation, 4);
    const double error = relative_error(values, rounded(q6_k, values));
    const double plain = relative_error(values, by_largest_values(values));
    EXPECT_LT(error, 0.9 * plain) << deviation;
    EXPECT_LT(error, 0.017) << deviation;
  }
}

TEST(Q6_K, HaveNoMoreErrorInAnyBlockThanScalesByTheLargestValueAlone) {
  std::mt19937 random(5);
  for (unsigned seed = 0; seed < 300; ++seed) {
    auto values = normals(256, 0.03F, seed);
    for (std::size_t i = 0; i < 256; ++i) {  // some groups of other sizes, and some values far out
      values[i] *= std::ldexp(1.0F, static_cast<int>(seed % 9 * (i / 16) % 12) - 6);
      if (random() % 64 == 0) values[i] *= 20;
    }
    EXPECT_LE(squared_error(values, rounded(q6_k, values)),
              squared_error(values, by_largest_values(values)) * (1 + 1e-6))
        << seed;
  }
}

TEST(EncodeRow, LeavesTheErrorThatBitsAllow) {
  const auto values = normals(64 * 256, 0.02F, 6);
  EXPECT_LT(relative_error(values, rounded(q8_0, values)), 0.006);
  EXPECT_LT(relative_error(values, rounded(q4_0, values)), 0.1);
  EXPECT_LT(relative_error(values, rounded(f16, values)), 0.0003);
  EXPECT_LT(relative_error(values, rounded(bf16, values)), 0.002);
}

}  // namespace
}  // namespace bitnet::quant
