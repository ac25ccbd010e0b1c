// Readers of the block formats of 32 elements (those of 256: k_blocks.h), over the 16-lane float V of a
// backend: a block is opened once and then gives its values 32 at a time, the floats that the format's
// decode_row gives for a matrix whose scale is 1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/iq4_nl.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q8_0.h"

namespace bitnet::kernels::generic {

// Elements 0..15 and 16..31.
template <typename V>
using Values = std::array<V, 2>;

template <typename V>
class Q8_0 {
 public:
  using Block = quant::q8_0::Block;

  void open(const Block& block) {
    block_ = &block;
    d_ = V::broadcast_f16(&block.d);
  }
  template <std::size_t Part>
  Values<V> values() const {
    return {V::load_i8(block_->q) * d_, V::load_i8(block_->q + 16) * d_};
  }

 private:
  const Block* block_;
  V d_;
};

// 16 for each bit that is set, else 0.
template <typename V>
inline Values<V> fifth_bits(const std::uint8_t (&high)[4]) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::int8_t bytes[32];
  for (std::size_t i = 0; i < sizeof high; ++i) {
    // Bit k of the byte alone in byte k, where it carries into the highest bit.
    const std::uint64_t bits = high[i] * kEach & 0x8040201008040201;
    const std::uint64_t sixteens = ((bits + 0x7F * kEach) >> 7 & kEach) << 4;
    std::memcpy(bytes + 8 * i, &sixteens, sizeof sixteens);
  }
  return {V::load_i8(bytes), V::load_i8(bytes + 16)};
}

// Q4_0, Q4_1, Q5_0 and Q5_1, by what their blocks have.
template <typename V, typename BlockType>
class Halves {
 public:
  using Block = BlockType;

  void open(const Block& block) {
    block_ = &block;
    d_ = V::broadcast_f16(&block.d);
    if constexpr (kHasMinimum) m_ = V::broadcast_f16(&block.m);
  }
  template <std::size_t Part>
  Values<V> values() const {
    Values<V> q = V::load_4_bits(block_->q);  // less 8
    if constexpr (kHasFifthBits) {
      const Values<V> fifth = fifth_bits<V>(block_->high);
      q = {q[0] + fifth[0], q[1] + fifth[1]};
    }
    // Codes below which there are minima begin at 0, others lie around it.
    constexpr float kShift = kHasMinimum ? 8 : kHasFifthBits ? -8 : 0;
    if constexpr (kShift != 0) q = {q[0] + V::broadcast(kShift), q[1] + V::broadcast(kShift)};
    if constexpr (kHasMinimum) {
      return {fma(q[0], d_, m_), fma(q[1], d_, m_)};
    } else {
      return {q[0] * d_, q[1] * d_};
    }
  }

 private:
  static constexpr bool kHasMinimum = requires(Block block) { block.m; };
  static constexpr bool kHasFifthBits = requires(Block block) { block.high; };

  const Block* block_;
  V d_;
  V m_;
};
template <typename V>
using Q4_0 = Halves<V, quant::q4_0::Block>;
template <typename V>
using Q4_1 = Halves<V, quant::q4_1::Block>;
template <typename V>
using Q5_0 = Halves<V, quant::q5_0::Block>;
template <typename V>
using Q5_1 = Halves<V, quant::q5_1::Block>;

template <typename V>
class IQ4_NL {
 public:
  using Block = quant::iq4_nl::Block;

  void open(const Block& block) {
    block_ = &block;
    d_ = V::broadcast_f16(&block.d);
  }
  template <std::size_t Part>
  Values<V> values() const {
    std::int8_t steps[32];
    for (std::size_t i = 0; i < 16; ++i) {
      steps[i] = quant::iq4_nl::kSteps[block_->q[i] & 15];
      steps[i + 16] = quant::iq4_nl::kSteps[block_->q[i] >> 4];
    }
    return {V::load_i8(steps) * d_, V::load_i8(steps + 16) * d_};
  }

 private:
  const Block* block_;
  V d_;
};

}  // namespace bitnet::kernels::generic
