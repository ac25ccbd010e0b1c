#include "support/block_types.h"

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <stdexcept>

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

// Sets n_bits bits of a byte, from bit `at` on.
void put(std::byte& byte, unsigned at, unsigned bits) { byte |= static_cast<std::byte>(bits << at); }

float exact(double value) {
  const auto rounded = static_cast<float>(value);
  if (static_cast<double>(rounded) != value) throw std::logic_error("a value that no float holds");
  return rounded;
}

void put_q8_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const Half d = random_half(random);
  std::memcpy(block, &d.bits, 2);
  for (std::size_t j = 0; j < 32; ++j) {
    const int q = static_cast<int>(random() % 256) - 128;
    block[2 + j] = static_cast<std::byte>(q & 0xFF);
    values.push_back(exact(d.value * q));
  }
}

void put_q4_0(std::byte* block, std::mt19937& random, std::vector<float>& values) {
  const Half d = random_half(random);
  std::memcpy(block, &d.bits, 2);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned q = random() % 16;
    put(block[2 + j % 16], j < 16 ? 0 : 4, q);
    values.push_back(exact(d.value * (static_cast<int>(q) - 8)));
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
  const Half d = random_half(random);
  std::memcpy(block + 208, &d.bits, 2);
  for (std::size_t group = 0; group < 16; ++group) {
    const int scale = static_cast<int>(random() % 256) - 128;
    scales[group] = static_cast<std::byte>(scale & 0xFF);
    for (std::size_t i = 16 * group; i < 16 * group + 16; ++i) {
      const std::size_t half = i / 128;
      const Place place = kPlaces[i % 128 / 32];
      const unsigned q = random() % 64;
      put(ql[64 * half + place.ql + i % 32], place.ql_bit, q % 16);
      put(qh[32 * half + i % 32], place.qh_bit, q / 16);
      values.push_back(exact(d.value * scale * (static_cast<int>(q) - 32)));
    }
  }
}

// Element j in byte byte_of(j) at bit bit_of(j); code q stands for
// values[q].
void put_codes(std::byte* block, std::size_t n, std::size_t scale_at, std::initializer_list<int> values,
               std::mt19937& random, std::vector<float>& out, std::size_t (*byte_of)(std::size_t),
               unsigned (*bit_of)(std::size_t)) {
  const Half d = random_half(random);
  std::memcpy(block + scale_at, &d.bits, 2);
  for (std::size_t j = 0; j < n; ++j) {
    const auto q = static_cast<unsigned>(random() % values.size());
    put(block[byte_of(j)], bit_of(j), q);
    out.push_back(exact(d.value * values.begin()[q]));
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
  const Half d = random_half(random);
  std::memcpy(block + n_bytes, &d.bits, 2);
  for (const DigitRun& run : runs) {
    std::vector<unsigned> number(run.bytes, 0);
    unsigned unit = 81;
    for (std::size_t digit = 0; digit < run.digits; ++digit, unit /= 3) {
      for (std::size_t byte = 0; byte < run.bytes; ++byte) {
        const auto q = static_cast<unsigned>(random() % 3);
        number[byte] += q * unit;
        values.push_back(exact(d.value * (static_cast<int>(q) - 1)));
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
    {kQ4_0, {32, 18, 0}, put_q4_0},       {kQ8_0, {32, 34, 0}, put_q8_0},
    {kQ6_K, {256, 210, 208}, put_q6_k},   {kTQ1_0, {256, 54, 52}, put_tq1_0},
    {kTQ2_0, {256, 66, 64}, put_tq2_0},   {kQ1_0, {128, 18, 0}, put_q1_0},
    {kQ2_0, {64, 18, 0}, put_q2_0<64>},   {kPQ2_0, {128, 34, 0}, put_q2_0<128>},
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

}  // namespace bitnet::test
