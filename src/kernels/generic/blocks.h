// Readers of the block formats, over the 16-lane float V of a backend: a block is opened once and then gives
// its values 32 at a time, the floats that the format's decode_row gives for a matrix whose scale is 1.
#pragma once

#include <array>
#include <cstddef>

#include "quant/q4_0.h"
#include "quant/q6_k.h"
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

template <typename V>
class Q4_0 {
 public:
  using Block = quant::q4_0::Block;

  void open(const Block& block) {
    block_ = &block;
    d_ = V::broadcast_f16(&block.d);
  }
  template <std::size_t Part>
  Values<V> values() const {
    const Values<V> q = V::load_4_bits(block_->q);
    return {q[0] * d_, q[1] * d_};
  }

 private:
  const Block* block_;
  V d_;
};

template <typename V>
class Q6_K {
 public:
  using Block = quant::q6_k::Block;

  void open(const Block& block) {
    block_ = &block;
    (V::load_i8(block.scale) * V::broadcast_f16(&block.d)).store(scale_);
  }
  template <std::size_t Part>
  Values<V> values() const {
    constexpr std::size_t kHalf = Part / 4;
    constexpr int kQuarter = Part % 4;
    const std::uint8_t* ql = block_->ql + 64 * kHalf + 32 * (kQuarter % 2);
    const std::uint8_t* qh = block_->qh + 32 * kHalf;
    const Values<V> q = V::template load_6_bits<4 * (kQuarter / 2), 2 * kQuarter>(ql, qh);
    return {q[0] * V::broadcast(scale_[2 * Part]), q[1] * V::broadcast(scale_[2 * Part + 1])};
  }

 private:
  const Block* block_;
  alignas(64) float scale_[16];  // d * scale of each 16 elements
};

}  // namespace bitnet::kernels::generic
