// Rows of a matrix in few bits, in four planes: the upper four bits of every code, and the next three of a
// bit each. A search over all rows reads the upper plane, or that and the first bit, and the others only
// where they still matter: few bits of few rows at a time.
//
// A row is close to scale * (code - 63.5) for codes 0..127, code = 8 u + 4 b0 + 2 b1 + b2. Where the bits
// from some plane on are not known their middle stands for them: scale * (8 u - 60), scale * (8 u + 4 b0 -
// 62), ...
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bitnet::kernels {

// Codes come in blocks; the last block of a row is filled up with zeros.
inline constexpr std::size_t kScreenBlock = 256;
// Bytes of a block in the planes. Upper: elements j and j + 64 in byte j, the low half first, and j + 128 and
// j + 192 in byte j + 64. A bit's: element j in byte j / 8, bit j % 8.
inline constexpr std::size_t kUpperBytes = 128;
inline constexpr std::size_t kBitBytes = 32;
inline constexpr std::size_t kBitPlanes = 3;

struct Plane {
  std::uint8_t* codes;  // [n_rows, row_bytes]; the upper plane's on a cache line; nullptr: it is not written
  std::size_t row_bytes;  // whole blocks
};

struct Planes {
  Plane upper;
  std::array<Plane, kBitPlanes> bits;
};

// What is known of one row of the planes, rounded up where it is a bound. All in units of the weights.
struct RowBounds {
  float scale;
  float norm;                               // of the row: sqrt(sum of squares)
  std::array<float, kBitPlanes + 1> error;  // norm of the row less what the upper plane and so many bits give
};

// Activations as whole numbers 256 high + low.
struct Digits {
  const std::int8_t* high;  // [n_blocks * kScreenBlock], zeros behind the row's end
  const std::int8_t* low;   // [n_blocks * kScreenBlock]
};

// Digits of one kind, and where the sums of codes times them go: sums[i] for the i-th row.
struct DigitProduct {
  const std::int8_t* digits;  // [n_blocks * kScreenBlock], zeros behind the row's end
  float* sums;
};

// Sums of 256 high + low, in two parts. low: nullptr where those digits are all zero.
struct DigitSums {
  const float* high;
  const float* low;
};

// How the sums of some rows' codes become estimates of their products and bounds of what the products can be:
//   estimate = scale * (weight * sum - offset), bound = estimate + error_weight * error + norm_weight * norm
//   + tiny
struct Estimator {
  float weight;
  float offset;
  float error_weight;
  float norm_weight;
  float tiny;
};

struct Estimates {
  float* estimate;  // [n]
  float* bound;     // [n]
  float best;       // the highest estimate
  float highest;    // the highest bound
};

}  // namespace bitnet::kernels
