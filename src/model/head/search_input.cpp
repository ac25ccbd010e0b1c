#include "model/head/search_input.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace bitnet {
namespace {

constexpr double kSlack = 1 + 0x1p-20;  // for bounds that are computed in floats
constexpr double kMostDigits = 32512;   // 256 * 127: both digits stay in [-128, 127]
// Outside of these a float's range comes near.
constexpr double kLeastInput = 1e-30;
constexpr double kMostInput = 1e30;
constexpr double kMostLogit = 1e37;
// With high digits alone the input may be off by this part of its norm, where the last bit of the screen
// leaves the weights off by 0.025.
constexpr double kMostCoarse = 0.0125;

float round_up(double x) {
  return std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}

// Of the values, in digits: whole numbers of `unit`.
struct Rounded {
  std::int64_t sum = 0;       // of all digits
  std::int64_t low_sum = 0;   // of the low ones
  double lost = 0;            // sum of the squares of what the digits leave out
  double lost_by_coarse = 0;  // of what the high ones alone leave out
};

template <typename Value>
Rounded round(std::size_t n, double unit, Value value, std::int8_t* high, std::int8_t* low) {
  Rounded rounded;
  const double units = 1 / unit;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = value(i);
    const auto whole = static_cast<std::int32_t>(std::lrint(x * units));
    const std::int32_t upper = (whole + 128) >> 8;
    const std::int32_t lower = whole - 256 * upper;
    high[i] = static_cast<std::int8_t>(upper);
    low[i] = static_cast<std::int8_t>(lower);
    const double difference = x - whole * unit;
    const double coarse_difference = x - 256 * upper * unit;
    rounded.sum += whole;
    rounded.low_sum += lower;
    rounded.lost += difference * difference;
    rounded.lost_by_coarse += coarse_difference * coarse_difference;
  }
  return rounded;
}

}  // namespace

bool SearchInput::set(const HeadScreen& screen, const float* x, std::size_t n, float factor,
                      bool may_be_coarse, std::int8_t* high, std::int8_t* low) {
  const auto value = [&](std::size_t i) {
    return static_cast<double>(x[i]) * static_cast<double>(screen.column_scale[i]) *
           static_cast<double>(factor);
  };
  double largest = 0;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return false;
    largest = std::max(largest, std::abs(value(i)));
    squares += value(i) * value(i);
  }
  if (largest < kLeastInput || largest > kMostInput) return false;

  digits = {high, low};
  const double per_digit = largest / kMostDigits;
  const Rounded rounded = round(n, per_digit, value, high, low);
  unit = static_cast<float>(per_digit);
  low_sum = static_cast<float>(rounded.low_sum);
  // Doubles err by some 2^-40 of these at most.
  const double norm = std::sqrt(squares) * (1 + 0x1p-30);
  const std::size_t in_a_lane = n / 16;
  const double g = (static_cast<double>(in_a_lane) + 256) * 0x1p-24;
  const auto off_by = [&](double lost) { return std::sqrt(lost) * (1 + 0x1p-30) + norm * 0x1p-40; };
  const auto worth = [&](std::int64_t sum, double d) {
    return Worth{static_cast<float>(sum), round_up((norm + d) * kSlack), round_up((d + g * norm) * kSlack)};
  };
  const double most_off = off_by(rounded.lost_by_coarse);
  fine = worth(rounded.sum, off_by(rounded.lost));
  coarse = may_be_coarse && rounded.lost_by_coarse <= kMostCoarse * kMostCoarse * squares;
  at_first = coarse ? worth(rounded.sum - rounded.low_sum, most_off) : fine;
  // What is lost below the smallest normal float is multiplied by the factor too, and sums must not overflow
  // before they are.
  const auto magnitude = static_cast<double>(std::abs(factor));
  tiny = round_up(static_cast<double>(n) * 0x1p-140 * std::max(1.0, magnitude));
  return static_cast<double>(screen.largest) * (norm + most_off) / std::min(1.0, magnitude) < kMostLogit;
}

}  // namespace bitnet
