// Float algorithms that go once over a row, written once over the 16-lane float V of a backend.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/generic/exp.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// Calls step(offset, n) for each stretch of up to 16 elements.
template <typename Step>
inline void for_each_16(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) step(i, std::size_t{16});
  if (i < n) step(i, n - i);
}

template <typename V, typename T>
inline V load_up_to_16(const T* p, std::size_t n) {
  return n == 16 ? V::load(p) : V::load(p, n);
}

template <typename V>
void rms_norm(const float* x, const float* weight, float eps, std::size_t n, float* y) {
  V squares = V::zero();
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V v = load_up_to_16<V>(x + i, m);
    squares = fma(v, v, squares);
  });
  const float inverse = 1.0F / std::sqrt(reduce_add(squares) / static_cast<float>(n) + eps);
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V v = load_up_to_16<V>(x + i, m) * V::broadcast(inverse);
    (v * load_up_to_16<V>(weight + i, m)).store(y + i, m);
  });
}

template <typename V>
void add(float* x, const float* y, std::size_t n) {
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    (load_up_to_16<V>(x + i, m) + load_up_to_16<V>(y + i, m)).store(x + i, m);
  });
}

template <typename V>
void exp_row(const float* x, float* y, std::size_t n) {
  for_each_16(n, [&](std::size_t i, std::size_t m) { exp(load_up_to_16<V>(x + i, m)).store(y + i, m); });
}

template <typename V>
void relu2_mul(float* gate, const float* up, std::size_t n) {
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V g = max(V::zero(), load_up_to_16<V>(gate + i, m));
    (g * g * load_up_to_16<V>(up + i, m)).store(gate + i, m);
  });
}

template <typename V>
void silu_mul(float* gate, const float* up, std::size_t n) {
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V g = load_up_to_16<V>(gate + i, m);
    const V silu = g / (V::broadcast(1.0F) + exp(V::zero() - g));
    (silu * load_up_to_16<V>(up + i, m)).store(gate + i, m);
  });
}

// (a, b) -> (a cos - b sin, b cos + a sin), one rounding for the second product and one for the sum.
template <typename V>
void rope_neox(float* x, const float* cos, const float* sin, std::size_t n) {
  float* upper = x + n / 2;
  for_each_16(n / 2, [&](std::size_t i, std::size_t m) {
    const V c = load_up_to_16<V>(cos + i, m);
    const V s = load_up_to_16<V>(sin + i, m);
    const V a = load_up_to_16<V>(x + i, m);
    const V b = load_up_to_16<V>(upper + i, m);
    fma(a, c, V::zero() - b * s).store(x + i, m);
    fma(b, c, a * s).store(upper + i, m);
  });
}

template <typename V>
void rope_norm(float* x, const float* cos, const float* sin, std::size_t n) {
  static constexpr float kSigns[16] = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
  const V signs = V::load(kSigns);
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V c = duplicate_low(V::load(cos + i / 2, m / 2));
    const V s = duplicate_low(V::load(sin + i / 2, m / 2)) * signs;
    const V pairs = load_up_to_16<V>(x + i, m);
    fma(pairs, c, swap_pairs(pairs) * s).store(x + i, m);
  });
}

template <typename V>
void store_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for_each_16(n, [&](std::size_t i, std::size_t m) { load_up_to_16<V>(x + i, m).store_f16(y + i, m); });
}

// The largest magnitude; NaN where any value is NaN or infinite. In two chains: one is as slow as its
// additions.
template <typename V>
float widest_of(const float* x, std::size_t n) {
  V largest[2] = {V::zero(), V::zero()};
  // 0 * x: a NaN or infinity anywhere makes it NaN, which a maximum alone could lose.
  V poison[2] = {V::zero(), V::zero()};
  const auto add = [&](std::size_t chain, const V& v) {
    largest[chain] = max(largest[chain], abs(v));
    poison[chain] = fma(v, V::zero(), poison[chain]);
  };
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    add(0, V::load(x + i));
    add(1, V::load(x + i + 16));
  }
  for_each_16(n - i, [&](std::size_t at, std::size_t m) { add(0, load_up_to_16<V>(x + i + at, m)); });
  return reduce_max(max(largest[0], largest[1])) + reduce_add(poison[0] + poison[1]);
}

// q = round to even(x * s) in [-128, 127].
template <typename V>
void round_to_i8(const float* x, std::size_t n, float s, std::int8_t* q) {
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    // NaN becomes -128 here: a value for the conversion, while the NaN itself lives on in the scale.
    const V v =
        min(max(load_up_to_16<V>(x + i, m) * V::broadcast(s), V::broadcast(-128.0F)), V::broadcast(127.0F));
    round_even(v).store_i8(q + i, m);
  });
}

template <typename V>
void quantize(const float* x, std::size_t n, std::size_t padded_n, std::int8_t* q, float* scale,
              std::int32_t* sum) {
  const float widest = widest_of<V>(x, n);
  // 1e-5 keeps an all-zero row finite; a NaN passes.
  const float s = 127.0F / (widest < 1e-5F ? 1e-5F : widest);
  round_to_i8<V>(x, n, s, q);
  std::int32_t total = 0;
  for (std::size_t i = 0; i < n; ++i) total += q[i];
  for (std::size_t i = n; i < padded_n; ++i) q[i] = 0;
  *scale = s;
  *sum = total;
}

// n values under one scale: codes q, and what one of them is worth.
template <typename V>
float quantize_block(const float* x, std::size_t n, std::int8_t* q) {
  const float widest = widest_of<V>(x, n);
  const float s = 127.0F / (widest < 0x1p-100F ? 0x1p-100F : widest);
  round_to_i8<V>(x, n, s, q);
  return 1.0F / s;
}

template <typename V>
void store_q8(const float* x, std::int8_t* codes, float* unit, std::size_t n) {
  *unit = quantize_block<V>(x, n, codes);
}

template <typename V>
void quantize_blocks(const float* x, std::size_t n, std::size_t block, std::size_t padded_n,
                     const QuantizedRow& to) {
  if (block >= n) {
    quantize<V>(x, n, padded_n, to.q, to.scale, to.sum);
    to.unit[0] = 1.0F / *to.scale;
  } else {
    for (std::size_t i = 0; i < n; i += block)
      to.unit[i / block] = quantize_block<V>(x + i, n - i < block ? n - i : block, to.q + i);
    for (std::size_t i = n; i < padded_n; ++i) to.q[i] = 0;
  }
  for (std::size_t part = 0; part < padded_n / QuantizedBlocks::kPart; ++part) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < QuantizedBlocks::kPart; ++i) sum -= to.q[part * QuantizedBlocks::kPart + i];
    to.minus_sums[part] = sum;
  }
}

}  // namespace bitnet::kernels::generic
