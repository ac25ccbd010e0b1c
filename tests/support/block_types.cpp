#include "support/block_types.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <stdexcept>

#include "base/half.h"

namespace bitnet::test {
namespace {

struct Half {
  std::uint16_t bits;
  double value;
};

// An f16 of magnitude 2^-9 to 2^-3, or a subnormal one; of either sign.
Half random_half(std::mt19937& random) {
  const unsigned mantissa = random() % 1024;
  const bool negative = random() % 2 == 1;
  const bool subnormal = random() % 8 == 0;
  const int exponent = subnormal ? -14 : -9 + static_cast<int>(random() % 6);
  const double fraction = (subnormal ? 0.0 : 1.0) + mantissa / 1024.0;
  const unsigned biased = subnormal ? 0U : static_cast<unsigned>(exponent + 15);
  const auto bits = static_cast<std::uint16_t>((negative ? 0x8000U : 0U) | biased << 10 | mantissa);
  return {bits, std::ldexp(negative ? -fraction : fraction, exponent)};
}

// The same, written at `at`; its value.
double put_half(std::byte* at, std::mt19937& random) {
  const Half half = random_half(random);
  std::memcpy(at, &half.bits, sizeof half.bits);
  return half.value;
}

// Sets n_bits bits of a byte, from bit `at` on.
void put(std::byte& byte, unsigned at, unsigned bits) { byte |= static_cast<std::byte>(bits << at); }

float exact(double value) {
  const auto rounded = static_cast<float>(value);
  if (static_cast<double>(rounded) != value) throw std::logic_error("a value that no float holds");
  return rounded;
}

void put_q8_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const int q = static_cast<int>(random() % 256) - 128;
    block[2 + j] = static_cast<std::byte>(q & 0xFF);
    values.push_back(exact(d * q));
  }
}

void put_q4_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 16;
    put(block[2 + j % 16], j < 16 ? 0 : 4, q);
    values.push_back(exact(d * (static_cast<int>(q) - 8)));
  }
}

void put_iq4_nl(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  constexpr int kSteps[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  const double d = put_half(block, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 16;
    put(block[2 + j % 16], j < 16 ? 0 : 4, q);
    values.push_back(exact(d * kSteps[q]));
  }
}

// A product of whole numbers and halves that a float holds, less another one, rounded once.
float difference(double product, double minimum) { return exact(product) - exact(minimum); }

// The fifth bit of element j is bit j of the four bytes at `high`.
void put_5_bits(std::byte* high, std::byte* low, std::size_t j, unsigned q) {
  put(high[j / 8], static_cast<unsigned>(j % 8), q / 16);
  put(low[j % 16], j < 16 ? 0 : 4, q % 16);
}

void put_q4_1(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  const double m = put_half(block + 2, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 16;
    put(block[4 + j % 16], j < 16 ? 0 : 4, q);
    values.push_back(difference(d * q, -m));
  }
}

void put_q5_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 32;
    put_5_bits(block + 2, block + 6, j, q);
    values.push_back(exact(d * (static_cast<int>(q) - 16)));
  }
}

void put_q5_1(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  const double m = put_half(block + 2, random);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 32;
    put_5_bits(block + 4, block + 8, j, q);
    values.push_back(difference(d * q, -m));
  }
}

void put_q2_k(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block + 80, random);
  const double m = put_half(block + 82, random);
  for (std::size_t group = 0; group < 16; ++group) {
    const unsigned scale = random() % 16;
    const unsigned minimum = random() % 16;
    put(block[group], 0, scale);
    put(block[group], 4, minimum);
    for (std::size_t i = 16 * group; i < 16 * group + 16; ++i) {
      const unsigned q = random() % 4;
      put(block[16 + i / 128 * 32 + i % 32], static_cast<unsigned>(i % 128 / 32 * 2), q);
      values.push_back(difference(d * scale * q, m * minimum));
    }
  }
}

// Scale n of 16: its low four bits are the low halves of eight bytes, then their high halves; two more are in
// the four bytes behind, the lowest bits of which belong to scales 0 to 3.
void put_q3_k(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  std::byte* const scales = block + 96;
  const double d = put_half(block + 108, random);
  for (std::size_t group = 0; group < 16; ++group) {
    const unsigned scale = random() % 64;
    put(scales[group % 8], group < 8 ? 0 : 4, scale % 16);
    put(scales[8 + group % 4], static_cast<unsigned>(group / 4 * 2), scale / 16);
    for (std::size_t i = 16 * group; i < 16 * group + 16; ++i) {
      const unsigned q = random() % 8;
      put(block[32 + i / 128 * 32 + i % 32], static_cast<unsigned>(i % 128 / 32 * 2), q % 4);
      put(block[i % 32], static_cast<unsigned>(i / 32), q / 4);
      values.push_back(exact(d * (static_cast<int>(scale) - 32) * (static_cast<int>(q) - 4)));
    }
  }
}

// Of the eight scales and minima the first four are six bits of a byte each, the scales before the minima; of
// the others the low four bits share bytes 8 to 11, and the upper two are the highest bits of bytes 0 to 7.
void put_k_scales(std::byte* packed, std::size_t n, unsigned scale, unsigned minimum) {
  if (n < 4) {
    put(packed[n], 0, scale);
    put(packed[4 + n], 0, minimum);
  } else {
    put(packed[4 + n], 0, scale % 16);
    put(packed[4 + n], 4, minimum % 16);
    put(packed[n - 4], 6, scale / 16);
    put(packed[n], 6, minimum / 16);
  }
}

// Q4_K, and Q5_K where `high_at` says where the fifth bits are.
template <std::size_t low_at, std::size_t high_at = 0>
void put_with_minima(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const double d = put_half(block, random);
  const double m = put_half(block + 2, random);
  for (std::size_t group = 0; group < 8; ++group) {
    const unsigned scale = random() % 64;
    const unsigned minimum = random() % 64;
    put_k_scales(block + 4, group, scale, minimum);
    for (std::size_t i = 0; i < 32; ++i) {
      const unsigned q = random() % (high_at > 0 ? 32 : 16);
      put(block[low_at + group / 2 * 32 + i], group % 2 == 0 ? 0 : 4, q % 16);
      if (high_at > 0) put(block[high_at + i], static_cast<unsigned>(group), q / 16);
      values.push_back(difference(d * scale * q, m * minimum));
    }
  }
}

// The order of a half of 128 elements, row by row of 32: which 32 bytes of its ql, their low or high bits,
// and which two bits of its qh.
void put_q6_k(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  struct Place {
    std::size_t ql;
    unsigned ql_bit;
    unsigned qh_bit;
  };
  constexpr Place kPlaces[4]{{0, 0, 0}, {32, 0, 2}, {0, 4, 4}, {32, 4, 6}};
  std::byte* const ql = block;
  std::byte* const qh = block + 128;
  std::byte* const scales = block + 192;
  const double d = put_half(block + 208, random);
  for (std::size_t group = 0; group < 16; ++group) {
    const int scale = static_cast<int>(random() % 256) - 128;
    scales[group] = static_cast<std::byte>(scale & 0xFF);
    for (std::size_t i = 16 * group; i < 16 * group + 16; ++i) {
      const std::size_t half = i / 128;
      const Place place = kPlaces[i % 128 / 32];
      const unsigned q = random() % 64;
      put(ql[64 * half + place.ql + i % 32], place.ql_bit, q % 16);
      put(qh[32 * half + i % 32], place.qh_bit, q / 16);
      values.push_back(exact(d * scale * (static_cast<int>(q) - 32)));
    }
  }
}

// Element j in byte byte_of(j) at bit bit_of(j); code q stands for
// values[q].
void put_codes(std::byte* block, std::size_t n, std::size_t scale_at, std::initializer_list<int> values,
               std::mt19937& random, std::vector<float>& out, std::size_t (*byte_of)(std::size_t),
               unsigned (*bit_of)(std::size_t)) {
  const double d = put_half(block + scale_at, random);
  for (std::size_t j = 0; j < n; ++j) {
    const auto q = static_cast<unsigned>(random() % values.size());
    put(block[byte_of(j)], bit_of(j), q);
    out.push_back(exact(d * values.begin()[q]));
  }
}

template <std::size_t kElements>
void put_q2_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  put_codes(
      block, kElements, 0, {-1, 0, 1, 2}, random, values, [](std::size_t j) { return 2 + j / 4; },
      [](std::size_t j) { return static_cast<unsigned>(2 * (j % 4)); });
}

void put_q1_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  put_codes(
      block, 128, 0, {-1, 1}, random, values, [](std::size_t j) { return 2 + j / 8; },
      [](std::size_t j) { return static_cast<unsigned>(j % 8); });
}

void put_tq2_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  put_codes(
      block, 256, 64, {-1, 0, 1, 2}, random, values, [](std::size_t j) { return j / 128 * 32 + j % 32; },
      [](std::size_t j) { return static_cast<unsigned>(2 * (j % 128 / 32)); });
}

// Bytes with `digits` digits of base 3 each: the first digits of all of them, then the second ones, ...
struct DigitRun {
  std::size_t bytes;
  std::size_t digits;
};

// A byte is made of its digits as a number of five (those that are not there are 0), in units of 1 / 243,
// which is brought to units of 1 / 256 and rounded up.
void put_base_3(std::byte* block, std::initializer_list<DigitRun> runs, std::mt19937& random,
                std::vector<float>& values) {
  std::size_t n_bytes = 0;
  for (const DigitRun& run : runs) n_bytes += run.bytes;
  const double d = put_half(block + n_bytes, random);
  for (const DigitRun& run : runs) {
    std::vector<unsigned> number(run.bytes, 0);
    unsigned unit = 81;
    for (std::size_t digit = 0; digit < run.digits; ++digit, unit /= 3) {
      for (std::size_t byte = 0; byte < run.bytes; ++byte) {
        const auto q = static_cast<unsigned>(random() % 3);
        number[byte] += q * unit;
        values.push_back(exact(d * (static_cast<int>(q) - 1)));
      }
    }
    for (std::size_t byte = 0; byte < run.bytes; ++byte) {
      block[byte] = static_cast<std::byte>((number[byte] * 256 + 242) / 243);
    }
    block += run.bytes;
  }
}

void put_tq1_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  put_base_3(block, {{32, 5}, {16, 5}, {4, 4}}, random, values);
}

void put_ptq1_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  put_base_3(block, {{16, 5}, {8, 5}, {2, 4}}, random, values);
}

struct BlockFormat {
  std::uint32_t id;
  BlockLayout layout;
  void (*put_block)(std::byte* block, std::mt19937& random, std::vector<float>& values);
};
constexpr BlockFormat kFormats[]{
    {kQ4_0, {32, 18, 0}, put_q4_0},
    {kQ8_0, {32, 34, 0}, put_q8_0},
    {kIQ4_NL, {32, 18, 0}, put_iq4_nl},
    {kQ4_1, {32, 20, 0, 2}, put_q4_1},
    {kQ5_0, {32, 22, 0}, put_q5_0},
    {kQ5_1, {32, 24, 0, 2}, put_q5_1},
    {kQ2_K, {256, 84, 80, 82}, put_q2_k},
    {kQ3_K, {256, 110, 108}, put_q3_k},
    {kQ4_K, {256, 144, 0, 2}, put_with_minima<16>},
    {kQ5_K, {256, 176, 0, 2}, put_with_minima<48, 16>},
    {kQ6_K, {256, 210, 208}, put_q6_k},
    {kTQ1_0, {256, 54, 52}, put_tq1_0},
    {kTQ2_0, {256, 66, 64}, put_tq2_0},
    {kQ1_0, {128, 18, 0}, put_q1_0},
    {kQ2_0, {64, 18, 0}, put_q2_0<64>},
    {kPQ2_0, {128, 34, 0}, put_q2_0<128>},
    {kPTQ1_0, {128, 28, 26}, put_ptq1_0},
};

const BlockFormat& format_of(std::uint32_t type) {
  for (const BlockFormat& format : kFormats) {
    if (format.id == type) return format;
  }
  throw std::invalid_argument("not a block type");
}

}  // namespace

BlockLayout layout_of(std::uint32_t type) { return format_of(type).layout; }

const quant::TypeInfo& block_type(std::uint32_t type) {
  constexpr std::size_t kRows = 100;  // so many that an id with several formats stands for one of them only
  const BlockLayout layout = layout_of(type);
  const quant::TypeInfo* found = quant::find_type(
      {.id = type, .rows = kRows, .cols = layout.elements, .room = kRows * layout.bytes, .alignment = 32});
  if (found == nullptr) throw std::logic_error("a type that is not read");
  return *found;
}

PackedBlocks random_blocks(std::uint32_t type, std::size_t n, unsigned seed) {
  const BlockLayout layout = layout_of(type);
  if (n % layout.elements != 0) throw std::invalid_argument("whole blocks only");
  std::mt19937 random(seed);
  PackedBlocks packed;
  packed.bytes.resize(n / layout.elements * layout.bytes);
  for (std::size_t at = 0; at < packed.bytes.size(); at += layout.bytes)
    format_of(type).put_block(&packed.bytes[at], random, packed.values);
  return packed;
}

std::vector<std::byte> round_as_ggml(std::uint32_t type, std::span<const float> values) {
  const BlockLayout layout = layout_of(type);
  const int steps = type == kQ4_0 ? 8 : 16;
  std::vector<std::byte> bytes(values.size() / layout.elements * layout.bytes);
  for (std::size_t i = 0; i < values.size() / layout.elements; ++i) {
    std::byte* const block = &bytes[i * layout.bytes];
    const auto of_block = values.subspan(i * layout.elements, layout.elements);
    const auto first = std::find_if(of_block.begin(), of_block.end(), [](float v) { return v != 0; });
    const float largest = first == of_block.end() ? 0 : *first;
    const std::uint16_t d = f32_to_f16(largest / static_cast<float>(-steps));
    std::memcpy(block, &d, sizeof d);
    for (std::size_t j = 0; j < layout.elements; ++j) {
      const int code = of_block[j] == 0 ? steps : of_block[j] == largest ? 0 : 2 * steps - 1;
      if (type == kQ4_0) {
        put(block[2 + j % 16], j < 16 ? 0 : 4, static_cast<unsigned>(code));
      } else {
        put_5_bits(block + 2, block + 6, j, static_cast<unsigned>(code));
      }
    }
  }
  return bytes;
}

}  // namespace bitnet::test
