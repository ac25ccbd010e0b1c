// Whether one set of measurements tends to lie below another, whatever their distribution: the test of Mann,
// Whitney and Wilcoxon.
#pragma once

#include <span>

namespace bitnet {

// The probability that `low` would stand as low among the ranks of both as it does, or lower, were both drawn
// from one distribution: a small one says that `low` is lower. Exact, ties included, up to some dozens of
// values, by the normal approximation beyond. 1 where either is empty. No value is NaN.
double rank_test(std::span<const double> low, std::span<const double> high);

// The median of all ratios of a value of `a` to one of `b`: how many times as large a is, unmoved by outliers
// on either side (Hodges and Lehmann's estimator, of logarithms). Neither is empty, every value is above 0.
double typical_ratio(std::span<const double> a, std::span<const double> b);

}  // namespace bitnet
