// Attention of one token over the keys it may see, written once over the 16-lane float V of a backend.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "kernels/generic/elementwise.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// Keys of one block: enough that rescaling the running sums is rare, few enough that K and V of a block stay
// in L1 (64 keys * 128 * 2 bytes * 2 = 32 KiB). Part of the numeric contract: it fixes the order of the sums.
inline constexpr std::size_t kKeyBlock = 64;
// Query heads worked on together; more share a key/value head in no known model, and are taken in turns.
inline constexpr std::size_t kMaxQueries = 16;

template <typename V, typename T>
inline float dot(const float* a, const T* b, std::size_t n) {
  V sum = V::zero();
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    sum = fma(load_up_to_16<V>(a + i, m), load_up_to_16<V>(b + i, m), sum);
  });
  return reduce_add(sum);
}

// The running softmax of one query head.
struct SoftmaxState {
  float max = -std::numeric_limits<float>::max();  // finite, so that scores of -inf don't give inf - inf
  float sum = 0.0F;
};

// Adds the keys of one block to out = sum of exp(score - max) * v.
template <typename V, typename T>
void attend_block(const Attention& a, std::size_t query, const T* k, const T* v, std::size_t n,
                  SoftmaxState& state) {
  float weight[kKeyBlock] = {};  // [n] scores, then their exponentials
  const float* q = a.q + query * a.head_dim;
  float* out = a.out + query * a.head_dim;
  V block_max = V::broadcast(state.max);
  for (std::size_t j = 0; j < n; ++j) weight[j] = dot<V>(q, k + j * a.head_dim, a.head_dim) * a.scale;
  for (std::size_t j = n; j % 16 != 0; ++j) weight[j] = state.max;
  for (std::size_t j = 0; j < n; j += 16) block_max = max(block_max, V::load(weight + j));
  const float new_max = reduce_max(block_max);
  V sum = V::zero();
  for_each_16(n, [&](std::size_t j, std::size_t m) {
    exp(load_up_to_16<V>(weight + j, m) - V::broadcast(new_max)).store(weight + j, m);
    sum = sum + load_up_to_16<V>(weight + j, m);
  });
  float rescale[16];
  exp(V::broadcast(state.max - new_max)).store(rescale);  // exactly 1 where the maximum stood
  state.sum = state.sum * rescale[0] + reduce_add(sum);
  state.max = new_max;
  for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
    V mixed = load_up_to_16<V>(out + i, m) * V::broadcast(rescale[0]);
    for (std::size_t j = 0; j < n; ++j) {
      mixed = fma(V::broadcast(weight[j]), load_up_to_16<V>(v + j * a.head_dim + i, m), mixed);
    }
    mixed.store(out + i, m);
  });
}

template <typename V, typename T>
void attention(const Attention& a) {
  const T* k = static_cast<const T*>(a.k);
  const T* v = static_cast<const T*>(a.v);
  std::fill_n(a.out, a.n_queries * a.head_dim, 0.0F);
  for (std::size_t first = 0; first < a.n_queries; first += kMaxQueries) {
    const std::size_t last = std::min(first + kMaxQueries, a.n_queries);
    SoftmaxState state[kMaxQueries];
    for (std::size_t j = 0; j < a.n_keys; j += kKeyBlock) {
      const std::size_t n = std::min(kKeyBlock, a.n_keys - j);
      for (std::size_t query = first; query < last; ++query) {
        attend_block<V>(a, query, k + j * a.head_dim, v + j * a.head_dim, n, state[query - first]);
      }
    }
    for (std::size_t query = first; query < last; ++query) {
      float* out = a.out + query * a.head_dim;
      const V sum = V::broadcast(state[query - first].sum);
      for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
        (load_up_to_16<V>(out + i, m) / sum).store(out + i, m);
      });
    }
  }
}

}  // namespace bitnet::kernels::generic
