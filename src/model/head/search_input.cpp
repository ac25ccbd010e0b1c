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

struct Rounded {
  std::int64_t sum = 0;  // of all digits
  double lost = 0;       // sum of the squares of what they leave out
};

// value(i) to whole numbers of `unit` that are multiples of `multiple`.
template <typename Value>
Rounded round(std::size_t n, double unit, std::int32_t multiple, Value value, std::int8_t* high,
              std::int8_t* low) {
  Rounded rounded;
  const double step = unit * multiple;
  const double steps = 1 / step;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = value(i);
    const auto whole = static_cast<std::int32_t>(std::lrint(x * steps));
    const double difference = x - whole * step;
    const std::int32_t digits = whole * multiple;
    const std::int32_t upper = (digits + 128) >> 8;
    high[i] = static_cast<std::int8_t>(upper);
    low[i] = static_cast<std::int8_t>(digits - 256 * upper);
    rounded.sum += digits;
    rounded.lost += difference * difference;
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
  const auto is_close = [&](const Rounded& r) { return r.lost <= kMostCoarse * kMostCoarse * squares; };
  Rounded rounded;
  coarse = false;
  if (may_be_coarse) {
    rounded = round(n, per_digit, 256, value, high, low);
    coarse = is_close(rounded);
  }
  if (!coarse) rounded = round(n, per_digit, 1, value, high, low);
  unit = static_cast<float>(per_digit);
  digit_sum = static_cast<float>(rounded.sum);
  // Doubles err by some 2^-40 of these at most.
  const double norm = std::sqrt(squares) * (1 + 0x1p-30);
  const double d = std::sqrt(rounded.lost) * (1 + 0x1p-30) + norm * 0x1p-40;
  const std::size_t in_a_lane = n / 16;
  const double g = (static_cast<double>(in_a_lane) + 256) * 0x1p-24;
  error_weight = round_up((norm + d) * kSlack);
  norm_weight = round_up((d + g * norm) * kSlack);
  // What is lost below the smallest normal float is multiplied by the factor too, and sums must not overflow
  // before they are.
  const auto magnitude = static_cast<double>(std::abs(factor));
  tiny = round_up(static_cast<double>(n) * 0x1p-140 * std::max(1.0, magnitude));
  return static_cast<double>(screen.largest) * (norm + d) / std::min(1.0, magnitude) < kMostLogit;
}

}  // namespace bitnet
