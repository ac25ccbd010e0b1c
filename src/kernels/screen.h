// Rows of a matrix in few bits, in three planes: the upper four bits of every code, the middle one, the lower
// two. A search over all rows reads the upper plane, or the upper and the middle one, and the others only
// where they still matter.
//
// A row is close to scale * (code - 63.5) for codes 0..127, code = 8 u + 4 m + l. Without the lower plane it
// is scale * (8 u + 4 m - 62), without the middle one too scale * (8 u - 60): their middles.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::kernels {

// Codes come in blocks; the last block of a row is filled up with zeros.
inline constexpr std::size_t kScreenBlock = 256;
// Bytes of a block in the planes. Upper: elements j and j + 64 in byte j, the low half first, and j + 128 and
// j + 192 in byte j + 64. Middle: element j in byte j / 8, bit j % 8. Lower: elements j, j + 64, j + 128 and
// j + 192 in byte j, lowest bits first.
inline constexpr std::size_t kUpperBytes = 128;
inline constexpr std::size_t kMiddleBytes = 32;
inline constexpr std::size_t kLowerBytes = 64;

struct Plane {
  std::uint8_t* codes;    // [n_rows, row_bytes], on a cache line
  std::size_t row_bytes;  // whole blocks
};

struct Planes {
  Plane upper;
  Plane middle;
  Plane lower;
};

// What is known of one row of the planes, rounded up where it is a bound. All in units of the weights.
struct RowBounds {
  float scale;
  float norm;          // of the row: sqrt(sum of squares)
  float error_upper;   // norm of the row less its approximation by the upper plane,
  float error_middle;  // by the upper two,
  float error_lower;   // by all three
};

// Activations as whole numbers 256 high + low.
struct Digits {
  const std::int8_t* high;  // [n_blocks * kScreenBlock], zeros behind the row's end
  const std::int8_t* low;   // [n_blocks * kScreenBlock]
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
