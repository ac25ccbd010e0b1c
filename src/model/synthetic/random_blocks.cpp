#include "model/synthetic/random_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/joined.h"
#include "quant/i2_s.h"

namespace bitnet {
namespace {

// Pairs of bytes, that is eight 2-bit codes of 0 to 2: drawn by the number of the pair.
const std::vector<std::uint16_t>& ternary_pairs() {
  static const std::vector<std::uint16_t> pairs = [] {
    constexpr std::size_t kBytes = 3 * 3 * 3 * 3;
    const auto byte = [](std::size_t i) { return i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6; };
    std::vector<std::uint16_t> all;
    for (std::size_t i = 0; i < kBytes * kBytes; ++i) {
      all.push_back(static_cast<std::uint16_t>(byte(i % kBytes) | byte(i / kBytes) << 8));
    }
    return all;
  }();
  return pairs;
}

// A number below n of 32 random bits.
std::size_t below(std::size_t n, std::uint64_t bits) { return (bits & 0xFFFFFFFFU) * n >> 32; }

// n_bytes: a multiple of 4.
void fill_pairs(std::byte* data, std::size_t n_bytes, SyntheticRandom& random) {
  const auto& pairs = ternary_pairs();
  for (std::size_t at = 0; at < n_bytes; at += 4) {
    const std::uint64_t bits = random();
    const std::array two{pairs[below(pairs.size(), bits)], pairs[below(pairs.size(), bits >> 32)]};
    std::memcpy(data + at, two.data(), sizeof two);
  }
}

// Five base-3 digits, or four, in a byte: the number as a fraction of 3^5, in 256ths, rounded up.
void fill_base3(std::byte* data, std::size_t n_bytes, std::size_t n_numbers, SyntheticRandom& random) {
  constexpr std::size_t kFive = 3 * 3 * 3 * 3 * 3;
  for (std::size_t at = 0; at < n_bytes; ++at) {
    const std::size_t number = below(n_numbers, random()) * (kFive / n_numbers);
    data[at] = static_cast<std::byte>((number * 256 + kFive - 1) / kFive);
  }
}

void fill_bytes(std::byte* data, std::size_t n_bytes, SyntheticRandom& random) {
  for (std::size_t at = 0; at < n_bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t bits = random();
    std::memcpy(data + at, &bits, std::min(sizeof bits, n_bytes - at));
  }
}

// Each block has a scale of its own, within a tenth of the mean.
void put_scale(std::byte* at, float mean, SyntheticRandom& random) {
  const float uniform = static_cast<float>(random() >> 40) * 0x1p-23F - 1.0F;  // [-1, 1)
  const std::uint16_t scale = f32_to_f16(mean * (1.0F + 0.1F * uniform));
  std::memcpy(at, &scale, sizeof scale);
}

// Blocks of 2-bit codes, in whatever order, and a scale before or behind them.
template <std::size_t block_bytes, std::size_t scale_at>
void fill_two_bits(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  constexpr std::size_t kCodes = block_bytes - 2;
  for (std::size_t i = 0; i < n; ++i, data += block_bytes) {
    fill_pairs(data + (scale_at == 0 ? 2 : 0), kCodes, random);
    put_scale(data + scale_at, ternary_scale(source.deviation()), random);
  }
}

// Five trits to a byte, then four to a byte, then the scale.
template <std::size_t n_fives, std::size_t n_fours>
void fill_trits(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += n_fives + n_fours + 2) {
    fill_base3(data, n_fives, 3 * 3 * 3 * 3 * 3, random);
    fill_base3(data + n_fives, n_fours, 3 * 3 * 3 * 3, random);
    put_scale(data + n_fives + n_fours, ternary_scale(source.deviation()), random);
  }
}

void fill_i2_s(std::byte* data, std::size_t n, const BlockSource& /*source*/, SyntheticRandom& random) {
  fill_pairs(data, n * quant::i2_s::kGroupBytes, random);
}

void fill_q1_0(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += 18) {
    put_scale(data, source.deviation(), random);
    fill_bytes(data + 2, 16, random);
  }
}

void fill_q8_0(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  constexpr float kDeviation = 73.9F;  // of numbers from -128 to 127
  for (std::size_t i = 0; i < n; ++i, data += 34) {
    put_scale(data, source.deviation() / kDeviation, random);
    fill_bytes(data + 2, 32, random);
  }
}

void fill_q4_0(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  constexpr float kDeviation = 4.6F;  // of numbers from -8 to 7
  for (std::size_t i = 0; i < n; ++i, data += 18) {
    put_scale(data, source.deviation() / kDeviation, random);
    fill_bytes(data + 2, 16, random);
  }
}

void fill_q6_k(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  constexpr float kDeviation = 18.5F * 96;  // of numbers from -32 to 31, times scales from 64 to 127
  for (std::size_t i = 0; i < n; ++i, data += 210) {
    fill_bytes(data, 208, random);
    for (std::size_t k = 192; k < 208; ++k) data[k] = (data[k] & std::byte{63}) | std::byte{64};
    put_scale(data + 208, source.deviation() / kDeviation, random);
  }
}

void fill_q4_k(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  constexpr float kNumber = 63;       // all bits of a scale and of a minimum
  constexpr float kMiddle = 7.5F;     // of numbers from 0 to 15
  constexpr float kDeviation = 4.6F;  // of these
  for (std::size_t i = 0; i < n; ++i, data += 144) {
    put_scale(data, source.deviation() / (kDeviation * kNumber), random);
    std::uint16_t d = 0;
    std::memcpy(&d, data, sizeof d);
    const std::uint16_t m = f32_to_f16(kMiddle * f16_to_f32(d));
    std::memcpy(data + 2, &m, sizeof m);
    std::memset(data + 4, 0xFF, 12);
    fill_bytes(data + 16, 128, random);
  }
}

void fill_f16(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += 8) {
    const std::uint64_t bits = random();
    const std::array four{source.normal_f16(bits), source.normal_f16(bits >> 16),
                          source.normal_f16(bits >> 32), source.normal_f16(bits >> 48)};
    std::memcpy(data, four.data(), sizeof four);
  }
}

void fill_bf16(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += 2) {
    const float value = source.normal(random());
    std::memcpy(data, reinterpret_cast<const std::byte*>(&value) + 2, 2);  // cut, not rounded
  }
}

void fill_f32(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += 4) {
    const float value = source.normal(random());
    std::memcpy(data, &value, 4);
  }
}

using enum quant::TensorType;

constexpr std::array kTypes{
    SyntheticType{"i2_s", i2_s, fill_i2_s},
    SyntheticType{"tq1_0", tq1_0, fill_trits<48, 4>},
    SyntheticType{"tq2_0", tq2_0, fill_two_bits<66, 64>},
    SyntheticType{"q2_0", q2_0_128, fill_two_bits<34, 0>},
    SyntheticType{"q2_0-64", q2_0_64, fill_two_bits<18, 0>},
    SyntheticType{"pq2_0", pq2_0, fill_two_bits<34, 0>},
    SyntheticType{"ptq1_0", ptq1_0, fill_trits<24, 2>},
    SyntheticType{"q1_0", q1_0, fill_q1_0},
    SyntheticType{"q4_0", q4_0, fill_q4_0},
    SyntheticType{"q4_k", q4_k, fill_q4_k},
    SyntheticType{"q6_k", q6_k, fill_q6_k},
    SyntheticType{"q8_0", q8_0, fill_q8_0},
    SyntheticType{"bf16", bf16, fill_bf16, true},
    SyntheticType{"f16", f16, fill_f16, true, 4},
    SyntheticType{"f32", f32, fill_f32, true},
};

}  // namespace

// Sums of twelve uniform numbers come close enough to a normal distribution, and unlike logarithms they are
// the same on every machine.
BlockSource::BlockSource(std::uint64_t seed, float deviation, bool with_normals) : deviation_(deviation) {
  if (!with_normals) return;
  SyntheticRandom random(seed);
  for (std::size_t i = 0; i < kNormals; ++i) {
    double sum = -6.0;
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random() >> 11) * 0x1p-53;
    normals_.push_back(static_cast<float>(sum * static_cast<double>(deviation)));
    f16_.push_back(f32_to_f16(normals_.back()));
  }
}

std::span<const SyntheticType> synthetic_types() { return kTypes; }

const SyntheticType* find_synthetic_type(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name, &SyntheticType::name);
  return found == kTypes.end() ? nullptr : found;
}

std::string synthetic_type_names() { return joined(kTypes, &SyntheticType::name); }

float ternary_scale(float deviation) {
  return static_cast<float>(static_cast<double>(deviation) / std::sqrt(2.0 / 3.0));
}

}  // namespace bitnet
