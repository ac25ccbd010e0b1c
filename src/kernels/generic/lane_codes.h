// What products of codes in lanes with int8 activations are made of, over the instructions I of a backend.
//
// Shifted and masked, a line of codes is four neighbouring columns of each row in its 32-bit word: unsigned
// codes u = numerator - (the smallest numerator). They are multiplied with the same four activations for all
// rows, and what was taken off comes back by the sum of the activations.
//
// I has a vector of 32-bit lanes, I::kLanes = 16 rows, 8 or 4 (a group of rows is kParts of them), and
// vectors of floats. Products are added to 32-bit sums (kLinesInSum = 0), or to narrow ones that take
// kLinesInSum lines' before they are added to those.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/generic/unrolled.h"
#include "kernels/kernels.h"
#include "quant/lanes.h"

namespace bitnet::kernels::generic {

// How codes become u. Thirds and the four levels are looked up.
enum class CodeKind : std::uint8_t { two_bits, one_bit, looked_up };

constexpr CodeKind kind_of(quant::Codebook codebook) {
  switch (codebook) {
    case quant::Codebook::ternary:
      return CodeKind::two_bits;
    case quant::Codebook::binary:
      return CodeKind::one_bit;
    default:
      return CodeKind::looked_up;
  }
}

// Fields of four codes in a word.
constexpr std::size_t fields_of(CodeKind kind) { return kind == CodeKind::one_bit ? 8 : 4; }

// u of each code in a byte each, to be looked up.
template <typename I>
inline typename I::Int table_of(quant::Codebook codebook) {
  const auto numerators = quant::numerators_of(codebook);
  std::int32_t u = 0;
  for (std::size_t i = 0; i < numerators.size(); ++i)
    u |= static_cast<std::int32_t>(numerators[i] - numerators[0]) << (8 * i);
  return I::broadcast(u);
}

// Four neighbouring activations, for all rows.
template <typename I>
[[gnu::always_inline]] inline typename I::Int broadcast_4(const std::int8_t* q) {
  std::int32_t four;
  __builtin_memcpy(&four, q, sizeof four);
  return I::broadcast(four);
}

// Lines whose products one sum may hold. kLinesInSum is for the largest u, 6; the others are at most half.
template <typename I, CodeKind kind>
constexpr std::size_t lines_in_sum() {
  return I::kLinesInSum * (kind == CodeKind::two_bits ? 2 : 1);
}

// u of a field of all words.
template <typename I, CodeKind kind, std::size_t field>
inline typename I::Int codes_of(typename I::Int words, typename I::Int table) {
  if constexpr (kind == CodeKind::one_bit) {
    // 0 or 2: one place to the left of where the bit is.
    if constexpr (field == 0) {
      return I::bits(I::template left<1>(words), 2);
    } else {
      return I::bits(I::template right<static_cast<int>(field) - 1>(words), 2);
    }
  } else {
    const typename I::Int code = I::bits(I::template right<2 * static_cast<int>(field)>(words), 3);
    if constexpr (kind == CodeKind::looked_up) return I::look_up(table, code);
    return code;
  }
}

// Of the usual blocks at once: what GCC makes of the loop takes a tenth of their products' time.
static inline std::int32_t add_up(const std::int32_t* parts, std::size_t n) {
  if (n == 4) return parts[0] + parts[1] + parts[2] + parts[3];
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += parts[i];
  return sum;
}

// One matrix, the input and where the product goes. Columns are taken in steps of the smaller block.
struct LaneProduct {
  LaneProduct(const quant::Matrix& matrix, const QuantizedBlocks& input, const OutputRows& output)
      : w(matrix),
        x(input),
        y(output),
        w_shift(shift_of(w.lanes.block)),
        x_shift(shift_of(x.block)),
        step_shift(w_shift < x_shift ? w_shift : x_shift),
        has_one_scale(w.lanes.in_units && x.scale != nullptr) {}

  std::size_t step_of(std::size_t col) const { return col >> step_shift << step_shift; }
  std::size_t end_of_step(std::size_t begin) const {
    const std::size_t left = w.cols - begin;
    return left >> step_shift == 0 ? w.cols : begin + (std::size_t{1} << step_shift);
  }
  const std::byte* scales(std::size_t group) const {
    return w.data + group * quant::lanes::group_bytes(w.lanes, w.cols);
  }
  // Of part `part` (of I::kParts) of a group, for the step that begins at col.
  template <typename I>
  typename I::Float scale_of(std::size_t group, std::size_t part, std::size_t col) const {
    return I::load_f16(scales(group) +
                       ((col >> w_shift) * quant::lanes::kRows + part * I::kLanes) * sizeof(std::uint16_t));
  }
  // What a sum over the step [col, end) begins with: what was taken off of the codes.
  template <typename I, CodeKind kind>
  typename I::Int taken_off(std::size_t token, std::size_t col, std::size_t end) const {
    const std::int32_t* parts = x.minus_sum + token * x.parts() + col / QuantizedBlocks::kPart;
    std::int32_t minus_sum = add_up(parts, (end - col) / QuantizedBlocks::kPart);
    if constexpr (kind == CodeKind::looked_up)
      minus_sum *= -quant::numerators_of(w.lanes.codebook)[0];  // of the others it is -1
    return I::broadcast(minus_sum);
  }
  template <typename I>
  typename I::Float unit_of(std::size_t token, std::size_t col) const {
    if (has_one_scale) return I::broadcast(w.scale / x.scale[token]);
    return I::broadcast(x.unit[token * x.parts() + (col >> x_shift)]);
  }
  // What has been added up for a part of a group and a token, to its place in y; rows past the last are left
  // out.
  template <typename I>
  void store(std::size_t group, std::size_t part, std::size_t token, typename I::Float total) const {
    const std::size_t row = group * quant::lanes::kRows + part * I::kLanes;
    if (row >= w.rows) return;
    const std::size_t n_rows = w.rows - row < I::kLanes ? w.rows - row : I::kLanes;
    if (!has_one_scale) total = I::multiply(total, I::broadcast(w.scale));
    I::store(y.y + token * y.stride + row, total, n_rows);
  }

  const quant::Matrix& w;
  const QuantizedBlocks& x;
  const OutputRows& y;
  unsigned w_shift;  // of a column to its block
  unsigned x_shift;
  unsigned step_shift;
  bool has_one_scale;  // for all of a token's products

 private:
  // Blocks are powers of two, or whole rows.
  unsigned shift_of(std::size_t block) const {
    return block >= w.cols ? 8 * sizeof(std::size_t) - 1
                           : static_cast<unsigned>(__builtin_ctzll(static_cast<unsigned long long>(block)));
  }
};

template <typename I>
inline typename I::Float add_step(typename I::Float total, typename I::Int sum, typename I::Float d,
                                  typename I::Float unit) {
  return I::multiply_add(I::to_float(sum), I::multiply(d, unit), total);
}

}  // namespace bitnet::kernels::generic
