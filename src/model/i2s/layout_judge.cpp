#include "model/i2s/layout_judge.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include "base/all_finite.h"
#include "base/joined.h"

namespace bitnet {
namespace {

constexpr std::size_t kStretch = 128;
// In deviations. Matrices behind the same norm are not independent, which makes the sum wider than it is
// reckoned here: at most as if it had a third of the pairs.
constexpr double kFarBeyondChance = 12;

// The indices of values, ascending by these.
std::vector<std::size_t> order_of(const std::vector<float>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  return order;
}

// Counts of rows are not many different numbers: a place for each.
std::vector<std::size_t> order_of(const std::vector<std::uint32_t>& values) {
  std::vector<std::size_t> begin(*std::ranges::max_element(values) + std::size_t{2});
  for (const std::uint32_t v : values) ++begin[v + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) order[begin[values[i]]++] = i;
  return order;
}

// Ranks, equal values sharing the mean of theirs, less the mean of each stretch.
template <typename Value>
std::vector<double> local_ranks(const std::vector<Value>& values) {
  const std::vector<std::size_t> order = order_of(values);
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

std::string four_digits(double value) {
  std::array<char, 32> text{};
  return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.4g", value))};
}

}  // namespace

std::string_view name_of(I2sLayout layout) {
  switch (layout) {
    case I2sLayout::x86:
      return "x86";
    case I2sLayout::arm:
      return "arm";
    case I2sLayout::rows4:
      return "rows4";
  }
  return "?";
}

std::optional<I2sLayout> find_i2s_layout(std::string_view name) {
  for (const I2sLayout layout : kI2sLayouts) {
    if (name == name_of(layout)) return layout;
  }
  return std::nullopt;
}

std::string i2s_layout_names() {
  return joined(kI2sLayouts, [](I2sLayout layout) { return name_of(layout); });
}

std::optional<LayoutEvidence> layout_evidence(const PlaceCounts& counts, std::span<const float> norm) {
  assert(counts.cols() == norm.size() && norm.size() % kStretch == 0);
  if (!all_finite(norm)) return std::nullopt;
  // The sign of a weight says nothing about how much it matters.
  std::vector<float> magnitude(norm.size());
  std::ranges::transform(norm, magnitude.begin(), [](float v) { return std::fabs(v); });
  const std::vector<double> a = local_ranks(magnitude);
  const auto degrees = static_cast<double>(norm.size() - norm.size() / kStretch);
  LayoutEvidence found{};
  for (const I2sLayout layout : kI2sLayouts) {
    const std::vector<double> b = local_ranks(counts.by_column(layout));
    const double scale = product(a, a) * product(b, b);
    if (scale <= 0) return std::nullopt;
    const double covariance = product(a, b);
    found[static_cast<std::size_t>(layout)] = degrees * covariance * covariance / scale;
  }
  return found;
}

void LayoutJudge::add(const LayoutEvidence& pair) {
  ++n_pairs_;
  for (std::size_t i = 0; i < pair.size(); ++i) evidence_[i] += pair[i];
}

std::optional<I2sLayout> LayoutJudge::verdict() const {
  const auto n = static_cast<double>(n_pairs_);
  const auto best = static_cast<std::size_t>(std::ranges::max_element(evidence_) - evidence_.begin());
  if (n_pairs_ == 0 || evidence_[best] <= n + kFarBeyondChance * std::sqrt(2 * n)) return std::nullopt;
  for (std::size_t i = 0; i < evidence_.size(); ++i) {
    if (i != best && evidence_[best] <= 2 * evidence_[i]) return std::nullopt;
  }
  return kI2sLayouts[best];
}

std::string LayoutJudge::text() const {
  if (n_pairs_ == 0) return "no matrix stands behind a norm that could tell";
  return "agreement of norm weights with columns: " + four_digits(evidence(I2sLayout::x86)) +
         " read as x86, " + four_digits(evidence(I2sLayout::arm)) + " as ARM, " +
         four_digits(evidence(I2sLayout::rows4)) + " as rows4, about " + std::to_string(n_pairs_) +
         " where there is none";
}

}  // namespace bitnet
