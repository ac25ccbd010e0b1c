#include "support/block_types.h"

#include <cmath>
#include <cstring>
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

}  // namespace

BlockLayout layout_of(std::uint32_t type) {
  switch (type) {
    case kQ8_0:
      return {32, 34, 0};
    case kQ4_0:
      return {32, 18, 0};
    case kQ6_K:
      return {256, 210, 208};
    default:
      throw std::invalid_argument("not a block type");
  }
}

PackedBlocks random_blocks(std::uint32_t type, std::size_t n, unsigned seed) {
  const BlockLayout layout = layout_of(type);
  if (n % layout.elements != 0) throw std::invalid_argument("whole blocks only");
  const auto put_block = type == kQ8_0 ? put_q8_0 : type == kQ4_0 ? put_q4_0 : put_q6_k;
  std::mt19937 random(seed);
  PackedBlocks packed;
  packed.bytes.resize(n / layout.elements * layout.bytes);
  for (std::size_t at = 0; at < packed.bytes.size(); at += layout.bytes)
    put_block(&packed.bytes[at], random, packed.values);
  return packed;
}

}  // namespace bitnet::test
