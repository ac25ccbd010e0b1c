#include "model/inspect/i2s_layout.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace bitnet {
namespace {

constexpr std::size_t kStretch = 128;  // within which the layouts differ
// In deviations. Matrices behind the same norm are not independent, which makes the sum wider than it is
// reckoned here: at most as if it had a third of the pairs.
constexpr double kFarBeyondChance = 12;

// Values by column from values by place.
std::vector<double> in_columns(std::span<const std::uint32_t> at_place, I2sLayout layout) {
  const std::size_t group_bytes = layout == I2sLayout::x86 ? 32 : 16;
  std::vector<double> by_column(at_place.size());
  for (std::size_t place = 0; place < at_place.size(); ++place) {
    const std::size_t byte = place / 4;
    const std::size_t column =
        byte / group_bytes * group_bytes * 4 + place % 4 * group_bytes + byte % group_bytes;
    by_column[column] = at_place[place];
  }
  return by_column;
}

// Ranks, equal values sharing the mean of theirs, less the mean of each stretch.
std::vector<double> local_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    const double rank = static_cast<double>(first + last) / 2;
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = rank;
    first = last + 1;
  }
  for (std::size_t at = 0; at < ranks.size(); at += kStretch) {
    const auto stretch = std::span(ranks).subspan(at, kStretch);
    const double mean = std::accumulate(stretch.begin(), stretch.end(), 0.0) / kStretch;
    for (double& rank : stretch) rank -= mean;
  }
  return ranks;
}

double product(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

void LayoutJudge::add(std::span<const std::uint32_t> nonzero_at, std::span<const float> norm) {
  assert(nonzero_at.size() == norm.size() && norm.size() % kStretch == 0);
  if (!std::ranges::all_of(norm, [](float v) { return std::isfinite(v); })) return;
  // The sign of a weight says nothing about how much it matters.
  std::vector<double> magnitude(norm.size());
  std::ranges::transform(norm, magnitude.begin(), [](float v) { return std::fabs(static_cast<double>(v)); });
  const std::vector<double> a = local_ranks(magnitude);
  std::array<double, 2> found{};
  for (const I2sLayout layout : {I2sLayout::x86, I2sLayout::arm}) {
    const std::vector<double> b = local_ranks(in_columns(nonzero_at, layout));
    const double scale = product(a, a) * product(b, b);
    if (scale <= 0) return;  // one of them is the same everywhere and tells nothing
    const double covariance = product(a, b);
    const std::size_t n_degrees = norm.size() - norm.size() / kStretch;
    const auto degrees = static_cast<double>(n_degrees);
    found[static_cast<std::size_t>(layout)] = degrees * covariance * covariance / scale;
  }
  ++n_pairs_;
  for (std::size_t i = 0; i < found.size(); ++i) evidence_[i] += found[i];
}

LayoutVerdict LayoutJudge::verdict() const {
  const auto n = static_cast<double>(n_pairs_);
  const double bar = n + kFarBeyondChance * std::sqrt(2 * n);
  const double x86 = evidence(I2sLayout::x86);
  const double arm = evidence(I2sLayout::arm);
  if (n_pairs_ > 0 && x86 > bar && x86 > 2 * arm) return LayoutVerdict::x86;
  if (n_pairs_ > 0 && arm > bar && arm > 2 * x86) return LayoutVerdict::arm;
  return LayoutVerdict::unknown;
}

}  // namespace bitnet
