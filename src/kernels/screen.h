// Rows of a matrix in few bits, in three planes: four bits of every code, one more, two more. A search over
// all rows reads the first plane, and the others only where they still matter.
//
// A row is close to scale * (code - 63.5) for codes 0..127, code = 8 a + 4 b + c with a of 4 bits, b of 1, c
// of 2. Without the lower planes it is scale * (8 a - 60) or scale * (8 a + 4 b - 62): their middles.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::kernels {

// Codes come in blocks; the last block of a row is filled up with zeros.
inline constexpr std::size_t kScreenBlock = 128;

struct Plane {
  std::uint8_t* codes;  // [n_rows, n_blocks * bytes of a block], on a cache line
  std::size_t
      row_bytes;  // a block takes 64 bytes of four-bit codes, 16 of one-bit codes, 32 of two-bit codes
};

// Orders inside a block: a[j] and a[j + 64] in byte j, low half first; b[j] in byte j / 8, bit j % 8; c[j],
// c[j + 32], ... in byte j, lowest bits first.
struct Planes {
  Plane four;
  Plane one;
  Plane two;
};

// What is known of one row of the planes, rounded up where it is a bound. All in units of the weights.
struct RowBounds {
  float scale;
  float norm;        // of the row: sqrt(sum of squares)
  float error_four;  // norm of the row less its approximation by the first plane,
  float error_one;   // by the first two,
  float error_two;   // by all three
};

// Activations as whole numbers 256 high + low.
struct Digits {
  const std::int8_t* high;  // [n_blocks * kScreenBlock], zeros behind the row's end
  const std::int8_t* low;   // [n_blocks * kScreenBlock]
};

}  // namespace bitnet::kernels
