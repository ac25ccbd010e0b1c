// Rows to planes of few bits with bounds on what that loses, written once over the 16-lane float V of a
// backend. Functions that are no templates are static: each instruction set has its own.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/generic/elementwise.h"
#include "kernels/screen.h"

namespace bitnet::kernels::generic {

// Clipping at this many times the root mean square of a row: for normally distributed weights the errors of
// four to seven bits are 0.11, 0.060, 0.035 and 0.025 of the norm. More would cost the first, less the last.
inline constexpr float kScreenClip = 3.0F;

static inline std::uint64_t load_8_bytes(const std::uint8_t* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// One block of codes, number `block` of the row, to the planes.
static inline void pack_screen_block(const std::uint8_t* codes, std::size_t row, std::size_t block,
                                     const Planes& planes) {
  for (std::size_t half = 0; half < 2; ++half) {
    if (planes.upper.codes == nullptr) break;
    std::uint8_t* upper = planes.upper.codes + row * planes.upper.row_bytes + block * kUpperBytes + 64 * half;
    const std::uint8_t* of_half = codes + 128 * half;
    for (std::size_t j = 0; j < 64; ++j)
      upper[j] = static_cast<std::uint8_t>(of_half[j] >> 3 | (of_half[j + 64] >> 3) << 4);
  }
  for (std::size_t k = 0; k < kBitPlanes; ++k) {
    if (planes.bits[k].codes == nullptr) continue;
    std::uint8_t* to = planes.bits[k].codes + row * planes.bits[k].row_bytes + block * kBitBytes;
    for (std::size_t j = 0; j < kBitBytes; ++j) {
      // Eight bits from eight bytes: the multiplication adds bit 0 of byte k to bit 56 + k, and no other two
      // products meet.
      const std::uint64_t bits = load_8_bytes(codes + 8 * j) >> (kBitPlanes - 1 - k) & 0x0101010101010101U;
      to[j] = static_cast<std::uint8_t>((bits * 0x0102040810204080U) >> 56);
    }
  }
}

// An upper bound of a norm, from the sum of n squares that floats gave: n / 16 fused additions in each lane
// and four folds err by less than (n / 16 + 8) 2^-24 of it, which the square root halves. What squares below
// the smallest float lose is less than 2^-75 a value.
static inline double norm_above(float squares, std::size_t n) {
  const auto count = static_cast<double>(n);
  return std::sqrt(static_cast<double>(squares)) * (1 + (count / 16 + 16) * 0x1p-24) + count * 0x1p-75;
}

static inline float round_up(double x) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (x > static_cast<double>(std::numeric_limits<float>::max())) return kInfinity;
  return std::nextafter(static_cast<float>(x), kInfinity);
}

// Codes of values[0, n) to row `row` of the planes. values is changed; codes: [n rounded up to blocks],
// zeros from n on, is working memory. A NaN or infinity among the values gives an infinite norm.
//
// Sums are taken of the values times a power of two that brings the largest near 1, which changes no digit
// that matters, so that no square overflows or vanishes.
template <typename V>
void screen_row(float* values, std::size_t n, std::size_t row, std::uint8_t* codes, const Planes& planes,
                RowBounds* bounds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  V largest_lanes = V::zero();
  V poison = V::zero();
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V v = load_up_to_16<V>(values + i, m);
    largest_lanes = max(largest_lanes, abs(v));
    poison = fma(v, V::zero(), poison);
  });
  const float largest = reduce_max(largest_lanes);
  if (reduce_add(poison) != 0.0F || !(largest < kInfinity)) {
    *bounds = {0, kInfinity, {kInfinity, kInfinity, kInfinity, kInfinity}};
    return;
  }
  int exponent = 0;
  std::frexp(largest, &exponent);
  exponent = exponent < -126 ? -126 : exponent > 126 ? 126 : exponent;
  const float shrink = std::ldexp(1.0F, -exponent);
  V squares = V::zero();
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V v = load_up_to_16<V>(values + i, m) * V::broadcast(shrink);
    v.store(values + i, m);
    squares = fma(v, v, squares);
  });
  const float square_sum = reduce_add(squares);
  const float rms = std::sqrt(square_sum / static_cast<float>(n));
  // The scale that is stored, and the same in units of the values as they are now.
  const float scale = std::ldexp(rms * (kScreenClip / 63.5F), exponent);
  const float step = std::ldexp(scale, -exponent);
  const float inverse = step > 0 ? 1 / step : 0;
  constexpr std::size_t kErrors = kBitPlanes + 1;
  V error[kErrors] = {V::zero(), V::zero(), V::zero(), V::zero()};
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const auto constant = [](float x) { return V::broadcast(x); };
    const V v = load_up_to_16<V>(values + i, m);
    const V code =
        round_even(min(max(fma(v, constant(inverse), constant(63.5F)), V::zero()), constant(127.0F)));
    code.store_i8(reinterpret_cast<std::int8_t*>(codes + i), m);
    // Whole numbers of 2, 4 and 8 codes: off the middle by less than a half, so rounding is the integer part.
    const V twos = round_even((code - constant(0.5F)) * constant(0.5F));
    const V fours = round_even((code - constant(1.5F)) * constant(0.25F));
    const V eights = round_even((code - constant(3.5F)) * constant(0.125F));
    const V distance[kErrors] = {v - constant(step) * (constant(8) * eights - constant(60)),
                                 v - constant(step) * (constant(4) * fours - constant(62)),
                                 v - constant(step) * (constant(2) * twos - constant(63)),
                                 v - constant(step) * (code - constant(63.5F))};
    // Lanes behind the end of the row count nothing: their value is 0, their approximation isn't.
    for (std::size_t k = 0; k < kErrors; ++k) {
      if (m == 16) {
        error[k] = fma(distance[k], distance[k], error[k]);
      } else {
        alignas(64) float kept[16];
        distance[k].store(kept);
        const V d = V::load(kept, m);
        error[k] = fma(d, d, error[k]);
      }
    }
  });
  const std::size_t n_blocks = (n + kScreenBlock - 1) / kScreenBlock;
  for (std::size_t b = 0; b < n_blocks; ++b) pack_screen_block(codes + b * kScreenBlock, row, b, planes);
  const double norm = norm_above(square_sum, n);
  const auto bound = [&](double x) { return round_up(std::ldexp(x, exponent)); };
  // A distance is off by a rounding of itself and two of the approximation, whose norm is at most the sum of
  // the row's and the distance's.
  const auto error_bound = [&](const V& lanes) {
    const double distance = norm_above(reduce_add(lanes), n);
    return bound(distance + (norm + 2 * distance) * 0x1p-22);
  };
  *bounds = {
      .scale = scale,
      .norm = bound(norm),
      .error = {error_bound(error[0]), error_bound(error[1]), error_bound(error[2]), error_bound(error[3])}};
}

// sum(i, m): of rows i to i + m.
template <typename V, typename Sum>
void estimate_from(const Estimator& with, Sum sum, const float* scale, const float* error, const float* norm,
                   std::size_t n, Estimates* to) {
  V best = V::broadcast(-std::numeric_limits<float>::infinity());
  V highest = best;
  const auto rows = [&](std::size_t i, std::size_t m) {
    const V estimate =
        load_up_to_16<V>(scale + i, m) * (V::broadcast(with.weight) * sum(i, m) - V::broadcast(with.offset));
    const V slack =
        fma(V::broadcast(with.error_weight), load_up_to_16<V>(error + i, m),
            fma(V::broadcast(with.norm_weight), load_up_to_16<V>(norm + i, m), V::broadcast(with.tiny)));
    const V bound = estimate + slack;
    estimate.store(to->estimate + i, m);
    bound.store(to->bound + i, m);
    return std::pair(estimate, bound);
  };
  for_each_16(n - n % 16, [&](std::size_t i, std::size_t m) {
    const auto [estimate, bound] = rows(i, m);
    best = max(best, estimate);
    highest = max(highest, bound);
  });
  to->best = reduce_max(best);
  to->highest = reduce_max(highest);
  // The lanes behind the last row hold no estimates.
  if (n % 16 != 0) rows(n - n % 16, n % 16);
  for (std::size_t i = n - n % 16; i < n; ++i) {
    if (to->estimate[i] > to->best) to->best = to->estimate[i];
    if (to->bound[i] > to->highest) to->highest = to->bound[i];
  }
}

template <typename V>
void estimate_rows(const Estimator& with, const DigitSums& sums, const float* scale, const float* error,
                   const float* norm, std::size_t n, Estimates* to) {
  const V weight_of_high = V::broadcast(256);
  const auto high = [&](std::size_t i, std::size_t m) { return load_up_to_16<V>(sums.high + i, m); };
  if (sums.low == nullptr) {
    const auto sum = [&](std::size_t i, std::size_t m) { return weight_of_high * high(i, m); };
    estimate_from<V>(with, sum, scale, error, norm, n, to);
  } else {
    const auto sum = [&](std::size_t i, std::size_t m) {
      return fma(weight_of_high, high(i, m), load_up_to_16<V>(sums.low + i, m));
    };
    estimate_from<V>(with, sum, scale, error, norm, n, to);
  }
}

}  // namespace bitnet::kernels::generic
