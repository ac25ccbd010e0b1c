// Readers of the K types' blocks of 256 elements, as in blocks.h. Part n of a block is its elements 32 * n to
// 32 * n + 31.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bit_field.h"
#include "kernels/generic/blocks.h"
#include "quant/k_scales.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_k.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"

namespace bitnet::kernels::generic {

// Of part `Part`: each sixteen have a scale of their own.
template <std::size_t Part, typename V>
inline Values<V> times_scales(const Values<V>& q, const float (&scale)[16]) {
  return {q[0] * V::broadcast(scale[2 * Part]), q[1] * V::broadcast(scale[2 * Part + 1])};
}

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
    constexpr BitField kLow{.from = 4 * (kQuarter / 2), .n = 4};
    constexpr BitField kHigh{.from = 2 * kQuarter, .n = 2, .to = 4};
    const Values<V> q = V::template load_codes<kLow, kHigh, 32>(block_->ql + 64 * kHalf + 32 * (kQuarter % 2),
                                                                block_->qh + 32 * kHalf);
    return times_scales<Part>(q, scale_);
  }

 private:
  const Block* block_;
  alignas(64) float scale_[16];  // d * scale of each 16 elements
};

// Q4_K and Q5_K.
template <typename V, typename BlockType>
class WithMinima {
 public:
  using Block = BlockType;

  void open(const Block& block) {
    block_ = &block;
    const auto bytes = quant::scales_and_minima(block.scales);
    const V numbers = V::load_i8(reinterpret_cast<const std::int8_t*>(bytes.data()));
    (numbers * V::broadcast_f16(&block.d)).store(scale_);
    (numbers * (V::broadcast_f16(&block.m) * V::broadcast(-1))).store(minus_minimum_);
  }
  template <std::size_t Part>
  Values<V> values() const {
    const Values<V> q = codes<Part>();
    const V scale = V::broadcast(scale_[Part]);
    const V minus_minimum = V::broadcast(minus_minimum_[8 + Part]);
    return {fma(q[0], scale, minus_minimum), fma(q[1], scale, minus_minimum)};
  }

 private:
  template <std::size_t Part>
  Values<V> codes() const {
    constexpr BitField kLow{.from = 4 * (Part % 2), .n = 4};
    const std::uint8_t* low = block_->q + 32 * (Part / 2);
    if constexpr (requires(Block block) { block.high; }) {
      constexpr BitField kHigh{.from = Part, .n = 1, .to = 4};
      return V::template load_codes<kLow, kHigh>(low, block_->high);
    } else {
      return V::template load_codes<kLow>(low);
    }
  }

  const Block* block_;
  alignas(64) float scale_[16];          // d * scale of each 32 elements are the first eight
  alignas(64) float minus_minimum_[16];  // -m * minimum, the last eight
};
template <typename V>
using Q4_K = WithMinima<V, quant::q4_k::Block>;
template <typename V>
using Q5_K = WithMinima<V, quant::q5_k::Block>;

template <typename V>
class Q3_K {
 public:
  using Block = quant::q3_k::Block;

  void open(const Block& block) {
    block_ = &block;
    const auto scales = quant::signed_scales(block.scales);
    (V::load_i8(scales.data()) * V::broadcast_f16(&block.d)).store(scale_);
  }
  template <std::size_t Part>
  Values<V> values() const {
    constexpr BitField kLow{.from = 2 * (Part % 4), .n = 2};
    constexpr BitField kHigh{.from = Part, .n = 1, .to = 2};
    const Values<V> q = V::template load_codes<kLow, kHigh, 4>(block_->q + 32 * (Part / 4), block_->high);
    return times_scales<Part>(q, scale_);
  }

 private:
  const Block* block_;
  alignas(64) float scale_[16];  // d * scale of each 16 elements
};

template <typename V>
class Q2_K {
 public:
  using Block = quant::q2_k::Block;

  void open(const Block& block) {
    block_ = &block;
    const Values<V> less_8 = V::load_4_bits(block.scales);
    const V eight = V::broadcast(8);
    ((less_8[0] + eight) * V::broadcast_f16(&block.d)).store(scale_);
    ((less_8[1] + eight) * (V::broadcast_f16(&block.m) * V::broadcast(-1))).store(minus_minimum_);
  }
  template <std::size_t Part>
  Values<V> values() const {
    constexpr BitField kCode{.from = 2 * (Part % 4), .n = 2};
    const Values<V> q = V::template load_codes<kCode>(block_->q + 32 * (Part / 4));
    return {with_minimum<2 * Part>(q[0]), with_minimum<2 * Part + 1>(q[1])};
  }

 private:
  template <std::size_t Group>
  V with_minimum(const V& q) const {
    return fma(q, V::broadcast(scale_[Group]), V::broadcast(minus_minimum_[Group]));
  }

  const Block* block_;
  alignas(64) float scale_[16];  // d * scale of each 16 elements
  alignas(64) float minus_minimum_[16];
};

}  // namespace bitnet::kernels::generic
