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
// Query heads worked on together: each key and value is loaded and widened once for all of them, and their
// sums are independent chains.
inline constexpr std::size_t kQueryTile = 4;
// Query heads whose running sums are kept at a time; more than share a key/value head in any known model.
inline constexpr std::size_t kMaxQueries = 16;

// The running softmax of one query head.
struct SoftmaxState {
  float max = -std::numeric_limits<float>::max();  // finite, so that scores of -inf don't give inf - inf
  float sum = 0.0F;
};

using KeyWeights = float[kKeyBlock];

// weight[q][j] = query q . key j * scale
template <typename V, std::size_t N, typename T>
inline void score_keys(const Attention& a, std::size_t query, const T* k, std::size_t n, KeyWeights* weight) {
  const float* q = a.q + query * a.head_dim;
  for (std::size_t j = 0; j < n; ++j) {
    V sum[N];
    for (V& s : sum) s = V::zero();
    for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
      const V key = load_up_to_16<V>(k + j * a.head_dim + i, m);
      for (std::size_t h = 0; h < N; ++h)
        sum[h] = fma(load_up_to_16<V>(q + h * a.head_dim + i, m), key, sum[h]);
    });
    for (std::size_t h = 0; h < N; ++h) weight[h][j] = reduce_add(sum[h]) * a.scale;
  }
}

// Turns scores into exp(score - running maximum) and returns what earlier sums must be multiplied by: exactly
// 1 where the maximum stood.
template <typename V>
inline float exponentiate(KeyWeights& weight, std::size_t n, SoftmaxState& state) {
  for (std::size_t j = n; j % 16 != 0; ++j) weight[j] = state.max;
  V largest = V::broadcast(state.max);
  for (std::size_t j = 0; j < n; j += 16) largest = max(largest, V::load(weight + j));
  const float new_max = reduce_max(largest);
  V sum = V::zero();
  for_each_16(n, [&](std::size_t j, std::size_t m) {
    exp(load_up_to_16<V>(weight + j, m) - V::broadcast(new_max)).store(weight + j, m);
    sum = sum + load_up_to_16<V>(weight + j, m);
  });
  float rescale[16];
  exp(V::broadcast(state.max - new_max)).store(rescale);
  state.sum = state.sum * rescale[0] + reduce_add(sum);
  state.max = new_max;
  return rescale[0];
}

// out = out * rescale + sum over j of weight[j] * value j, in ascending j
template <typename V, std::size_t N, typename T>
inline void mix_values(const Attention& a, std::size_t query, const T* v, std::size_t n,
                       const KeyWeights* weight, const float* rescale) {
  float* out = a.out + query * a.head_dim;
  for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
    V mixed[N];
    for (std::size_t h = 0; h < N; ++h) {
      mixed[h] = load_up_to_16<V>(out + h * a.head_dim + i, m) * V::broadcast(rescale[h]);
    }
    for (std::size_t j = 0; j < n; ++j) {
      const V value = load_up_to_16<V>(v + j * a.head_dim + i, m);
      for (std::size_t h = 0; h < N; ++h) mixed[h] = fma(V::broadcast(weight[h][j]), value, mixed[h]);
    }
    for (std::size_t h = 0; h < N; ++h) mixed[h].store(out + h * a.head_dim + i, m);
  });
}

// N query heads over one block of keys.
template <typename V, std::size_t N, typename T>
void attend_block(const Attention& a, std::size_t query, const T* k, const T* v, std::size_t n,
                  SoftmaxState* state) {
  KeyWeights weight[N];
  float rescale[N];
  score_keys<V, N>(a, query, k, n, weight);
  for (std::size_t h = 0; h < N; ++h) rescale[h] = exponentiate<V>(weight[h], n, state[h]);
  mix_values<V, N>(a, query, v, n, weight, rescale);
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
      const T* keys = k + j * a.head_dim;
      const T* values = v + j * a.head_dim;
      std::size_t query = first;
      for (; query + kQueryTile <= last; query += kQueryTile) {
        attend_block<V, kQueryTile>(a, query, keys, values, n, state + (query - first));
      }
      for (; query < last; ++query) attend_block<V, 1>(a, query, keys, values, n, state + (query - first));
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
