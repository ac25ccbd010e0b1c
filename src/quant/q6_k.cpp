#include "quant/q6_k.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/all_finite.h"
#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q6_k {
namespace {

constexpr std::size_t kGroup = 16;  // elements under one of a block's scales
constexpr std::size_t kGroups = Block::kElements / kGroup;
constexpr std::int32_t kLowest = -32;
constexpr std::int32_t kHighest = 31;
constexpr int kMostScale = 127;

using Group = std::span<const float, kGroup>;

Group group_of(std::span<const float, Block::kElements> values, std::size_t g) {
  return Group(values.data() + g * kGroup, kGroup);
}

// The values, less than 2^22 times the scale, as multiples of it: rounded to the nearest, halves to even. In
// loops that compilers turn into vector instructions.
std::array<float, kGroup> rounded(Group values, float scale) {
  constexpr float kRounder = 0x1.8p23F;  // adding it leaves no room for fractions
  const float steps = 1 / scale;
  std::array<float, kGroup> q{};
  if (!std::isfinite(steps)) return q;
  for (std::size_t i = 0; i < kGroup; ++i) q[i] = values[i] * steps + kRounder;
  auto whole = std::bit_cast<std::array<std::int32_t, kGroup>>(q);
  for (std::int32_t& n : whole) {
    n -= std::bit_cast<std::int32_t>(kRounder);
    n = n < kLowest ? kLowest : n;
    n = n > kHighest ? kHighest : n;
  }
  for (std::size_t i = 0; i < kGroup; ++i) q[i] = static_cast<float>(whole[i]);
  return q;
}

// In the order that vectors of any length can add in.
float sum(std::array<float, kGroup> terms) {
  for (std::size_t i = 0; i < 8; ++i) terms[i] += terms[i + 8];
  for (std::size_t i = 0; i < 4; ++i) terms[i] += terms[i + 4];
  return (terms[0] + terms[2]) + (terms[1] + terms[3]);
}

float squared_error(Group values, float scale) {
  auto terms = rounded(values, scale);
  for (std::size_t i = 0; i < kGroup; ++i) {
    const float difference = values[i] - scale * terms[i];
    terms[i] = difference * difference;
  }
  return sum(terms);
}

// The scale with the least squared error among those that make the extreme value some number around the
// lowest, each improved: for given multiples q the best scale is sum(v q) / sum(q q), and leaves
// sum(v v) - sum(v q)^2 / sum(q q). Of normally distributed values more of them, or nearer ones, gain little.
float best_scale(Group values) {
  const float most = extreme(values);
  float best = 0;
  float most_explained = 0;
  for (std::int32_t lowest = kLowest - 2; lowest <= kLowest + 6; ++lowest) {
    auto squares = rounded(values, most / static_cast<float>(lowest));
    auto products = squares;
    for (std::size_t i = 0; i < kGroup; ++i) {
      products[i] *= values[i];
      squares[i] *= squares[i];
    }
    const float vq = sum(products);
    const float qq = sum(squares);
    if (qq > 0 && vq * vq > most_explained * qq) {
      most_explained = vq * vq / qq;
      best = vq / qq;
    }
  }
  return best;
}

struct Scales {
  std::uint16_t d = 0;  // f16
  std::array<std::int8_t, kGroups> of_group{};
  float error = 0;  // squared
};

// Groups' scales brought to multiples of one: for each the neighbouring multiple with the least error.
Scales whole_scales(std::span<const float, Block::kElements> values,
                    const std::array<float, kGroups>& scales) {
  Scales whole;
  float most = 0;
  for (const float scale : scales) most = std::max(most, std::fabs(scale));
  whole.d = f32_to_f16(most / kMostScale);
  if (std::isinf(f16_to_f32(whole.d))) return {.d = whole.d, .error = std::numeric_limits<float>::infinity()};
  // Small ones are rounded so far that it can be too little.
  if (most > f16_to_f32(whole.d) * (kMostScale + 0.5F)) ++whole.d;
  const float d = f16_to_f32(whole.d);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const Group group = group_of(values, g);
    const int nearest = d > 0 ? static_cast<int>(std::lrint(scales[g] / d)) : 0;
    float least = std::numeric_limits<float>::infinity();
    for (int scale = nearest - 1; scale <= nearest + 1; ++scale) {
      if (std::abs(scale) > kMostScale) continue;
      const float error = squared_error(group, d * static_cast<float>(scale));
      if (error >= least) continue;
      least = error;
      whole.of_group[g] = static_cast<std::int8_t>(scale);
    }
    whole.error += least;
  }
  return whole;
}

void put(std::size_t j, int q, Block& block) {
  const std::size_t half = j / 128;
  const std::size_t k = j % 128 / 32;
  const std::size_t l = j % 32;
  const auto bits = static_cast<unsigned>(q + 32);
  block.ql[64 * half + 32 * (k % 2) + l] |= static_cast<std::uint8_t>((bits & 15U) << (4 * (k / 2)));
  block.qh[32 * half + l] |= static_cast<std::uint8_t>(bits >> 4 << (2 * k));
}

bool encode(std::span<const float, Block::kElements> values, Block& block) {
  block = {};
  if (const auto units = find_units(values)) {
    block.d = units->d;
    std::ranges::fill(block.scale, std::int8_t{1});
    for (std::size_t j = 0; j < values.size(); ++j) put(j, units->of(values[j]), block);
    return true;
  }
  if (!all_finite(values)) return false;
  std::array<float, kGroups> plain;
  for (std::size_t g = 0; g < kGroups; ++g)
    plain[g] = extreme(group_of(values, g)) / static_cast<float>(kLowest);
  const Scales from_plain = whole_scales(values, plain);
  if (std::isinf(f16_to_f32(from_plain.d))) return false;
  std::array<float, kGroups> searched;
  for (std::size_t g = 0; g < kGroups; ++g) searched[g] = best_scale(group_of(values, g));
  // The best scales need not be those whose multiples are.
  const Scales from_searched = whole_scales(values, searched);
  const Scales& best = from_searched.error < from_plain.error ? from_searched : from_plain;
  block.d = best.d;
  const float d = f16_to_f32(best.d);
  for (std::size_t g = 0; g < kGroups; ++g) {
    block.scale[g] = best.of_group[g];
    const auto q = rounded(group_of(values, g), d * static_cast<float>(best.of_group[g]));
    for (std::size_t i = 0; i < kGroup; ++i) put(g * kGroup + i, static_cast<int>(q[i]), block);
  }
  return true;
}

}  // namespace

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    const std::size_t half = j / 128;
    const std::size_t k = j % 128 / 32;
    const std::size_t l = j % 32;
    const int low = b.ql[64 * half + 32 * (k % 2) + l] >> (4 * (k / 2)) & 15;
    const int high = b.qh[32 * half + l] >> (2 * k) & 3;
    const float scale = f16_to_f32(b.d) * static_cast<float>(b.scale[j / kGroup]);
    return scale * static_cast<float>((low | high << 4) - 32);
  });
}

bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  return encode_blocks<Block>(values, cols, out, encode);
}

}  // namespace bitnet::quant::q6_k
