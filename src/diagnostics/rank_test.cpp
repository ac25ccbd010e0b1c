#include "diagnostics/rank_test.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bitnet {
namespace {

constexpr std::size_t kMostExact = 60;  // values together: a few million steps

// Of a, then of b, doubled so that the mean rank of equal values is a whole number.
std::vector<std::size_t> doubled_ranks(std::span<const double> a, std::span<const double> b) {
  std::vector<double> sorted(a.begin(), a.end());
  sorted.insert(sorted.end(), b.begin(), b.end());
  const std::vector<double> values = sorted;
  std::ranges::sort(sorted);
  std::vector<std::size_t> ranks;
  for (const double value : values) {
    const auto [first, last] = std::ranges::equal_range(sorted, value);
    const auto below = static_cast<std::size_t>(first - sorted.begin());
    const auto up_to = static_cast<std::size_t>(last - sorted.begin());
    ranks.push_back(below + 1 + up_to);
  }
  return ranks;
}

// The part of all ways to choose `n` of the ranks whose sum is at most `sum`.
double exact_probability(std::span<const std::size_t> ranks, std::size_t n, std::size_t sum) {
  std::size_t total = 0;
  for (const std::size_t rank : ranks) total += rank;
  // ways[k][s]: to choose k of the ranks so far with the sum s
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(total + 1));
  ways[0][0] = 1;
  for (const std::size_t rank : ranks) {
    for (std::size_t k = n; k > 0; --k) {
      for (std::size_t s = total; s >= rank; --s) ways[k][s] += ways[k - 1][s - rank];
    }
  }
  double as_low = 0;
  double all = 0;
  for (std::size_t s = 0; s <= total; ++s) {
    all += ways[n][s];
    if (s <= sum) as_low += ways[n][s];
  }
  return as_low / all;
}

double normal_probability(std::span<const std::size_t> ranks, std::size_t n, std::size_t sum) {
  const auto n_all = static_cast<double>(ranks.size());
  const auto n_low = static_cast<double>(n);
  const double mean = n_all + 1;  // of the doubled ranks, ties or not
  double squares = 0;
  for (const std::size_t rank : ranks) {
    const double difference = static_cast<double>(rank) - mean;
    squares += difference * difference;
  }
  const double variance = n_low * (n_all - n_low) / (n_all * (n_all - 1)) * squares;
  if (variance <= 0) return 1;  // all values are equal
  // Half a rank for the steps that the sum goes in.
  const double z = (static_cast<double>(sum) + 1 - n_low * mean) / std::sqrt(variance);
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

}  // namespace

double rank_test(std::span<const double> low, std::span<const double> high) {
  if (low.empty() || high.empty()) return 1;
  const std::vector<std::size_t> ranks = doubled_ranks(low, high);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < low.size(); ++i) sum += ranks[i];
  return ranks.size() <= kMostExact ? exact_probability(ranks, low.size(), sum)
                                    : normal_probability(ranks, low.size(), sum);
}

double typical_ratio(std::span<const double> a, std::span<const double> b) {
  assert(!a.empty() && !b.empty());
  std::vector<double> ratios;
  for (const double x : a) {
    for (const double y : b) ratios.push_back(x / y);
  }
  std::ranges::sort(ratios);
  const std::size_t middle = ratios.size() / 2;
  return ratios.size() % 2 == 1 ? ratios[middle] : std::sqrt(ratios[middle - 1] * ratios[middle]);
}

}  // namespace bitnet
