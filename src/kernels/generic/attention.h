// Attention of one token over the keys it may see, written once over the 16-lane float V of a backend.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "kernels/generic/elementwise.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

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

// Asked for ahead: a block's values while its keys are scored, the next block's keys while values are mixed.
// Each takes less than a microsecond, too short a stretch for the processor to see by itself what comes.
template <typename T, int kLocality = 3>
inline void prefetch(const T* begin, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 64 / sizeof(T)) __builtin_prefetch(begin + i, 0, kLocality);
}

// The first lines of each page, a block earlier still: the pages' addresses are known by then, and the
// processor has begun to follow. Over 4000 keys this takes a quarter of the time away.
template <typename T>
inline void prefetch_pages(const T* begin, std::size_t n) {
  constexpr std::size_t kPage = 4096 / sizeof(T);
  constexpr std::size_t kLines = 8 * 64 / sizeof(T);
  for (std::size_t i = 0; i < n; i += kPage) prefetch<T, 2>(begin + i, std::min(kLines, n - i));
}

// Loops over the parts of a tile are unrolled by order: what is left to GCC it keeps in memory.

// weight[q][j + k] = query q . key j + k * scale, for N queries and K keys
template <typename V, std::size_t N, std::size_t K, typename T>
inline void score_tile(const Attention& a, const float* q, const T* keys, std::size_t j, KeyWeights* weight) {
  V sum[N][K];
#pragma GCC unroll 4
  for (auto& of_query : sum) {
#pragma GCC unroll 4
    for (V& s : of_query) s = V::zero();
  }
  for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
    V key[K];
#pragma GCC unroll 4
    for (std::size_t k = 0; k < K; ++k) key[k] = load_up_to_16<V>(keys + k * a.head_dim + i, m);
#pragma GCC unroll 4
    for (std::size_t h = 0; h < N; ++h) {
      const V query = load_up_to_16<V>(q + h * a.head_dim + i, m);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < K; ++k) sum[h][k] = fma(query, key[k], sum[h][k]);
    }
  });
#pragma GCC unroll 4
  for (std::size_t h = 0; h < N; ++h) {
    if constexpr (K == 4) {
      reduce_add_4(sum[h], weight[h] + j);
      for (std::size_t k = 0; k < K; ++k) weight[h][j + k] *= a.scale;
    } else {
      for (std::size_t k = 0; k < K; ++k) weight[h][j + k] = reduce_add(sum[h][k]) * a.scale;
    }
  }
}

// The three parts of a block are functions of their own: inlined into one, GCC keeps the constants of the
// exponential in registers throughout, and the sums of the other two on the stack.
template <typename V, std::size_t N, typename T>
[[gnu::noinline]] void score_keys(const Attention& a, std::size_t query, const T* k, std::size_t n,
                                  const T* values, KeyWeights* weight) {
  const float* q = a.q + query * a.head_dim;
  std::size_t j = 0;
  for (; j + V::kTile <= n; j += V::kTile) {
    prefetch(values + j * a.head_dim, V::kTile * a.head_dim);
    score_tile<V, N, V::kTile>(a, q, k + j * a.head_dim, j, weight);
  }
  for (; j < n; ++j) score_tile<V, N, 1>(a, q, k + j * a.head_dim, j, weight);
}

// Turns scores into exp(score - running maximum) and returns what earlier sums must be multiplied by: exactly
// 1 where the maximum stood.
template <typename V>
[[gnu::noinline]] float exponentiate(KeyWeights& weight, std::size_t n, SoftmaxState& state) {
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

// Elements [i, i + 16 * D), or the last m of them, of out = out * rescale + sum over j of weight[j] * value
// j, in ascending j
template <typename V, std::size_t N, std::size_t D, typename T>
inline void mix_tile(const Attention& a, float* out, const T* v, std::size_t i, std::size_t m, std::size_t n,
                     const T* next_keys, const KeyWeights* weight, const float* rescale) {
  V mixed[N][D];
#pragma GCC unroll 4
  for (std::size_t h = 0; h < N; ++h) {
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d)
      mixed[h][d] = load_up_to_16<V>(out + h * a.head_dim + i + 16 * d, m) * V::broadcast(rescale[h]);
  }
  // The tiles of a head take 64 keys each and together ask for all of the next block.
  const T* ahead = next_keys + i * kKeyBlock;
  for (std::size_t j = 0; j < n; ++j) {
    prefetch(ahead + j * 16 * D, 16 * D);
    V value[D];
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) value[d] = load_up_to_16<V>(v + j * a.head_dim + i + 16 * d, m);
#pragma GCC unroll 4
    for (std::size_t h = 0; h < N; ++h) {
      const V w = V::broadcast(weight[h][j]);
#pragma GCC unroll 4
      for (std::size_t d = 0; d < D; ++d) mixed[h][d] = fma(w, value[d], mixed[h][d]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t h = 0; h < N; ++h) {
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) mixed[h][d].store(out + h * a.head_dim + i + 16 * d, m);
  }
}

template <typename V, std::size_t N, typename T>
[[gnu::noinline]] void mix_values(const Attention& a, std::size_t query, const T* v, std::size_t n,
                                  const T* next_keys, const KeyWeights* weight, const float* rescale) {
  float* out = a.out + query * a.head_dim;
  constexpr std::size_t kStep = 16 * V::kTile;
  std::size_t i = 0;
  for (; i + kStep <= a.head_dim; i += kStep)
    mix_tile<V, N, V::kTile>(a, out, v, i, 16, n, next_keys, weight, rescale);
  for_each_16(a.head_dim - i, [&](std::size_t at, std::size_t m) {
    mix_tile<V, N, 1>(a, out, v, i + at, m, n, next_keys, weight, rescale);
  });
}

// N query heads over one block of keys.
template <typename V, std::size_t N, typename T>
void attend_block(const Attention& a, std::size_t query, const T* k, const T* v, std::size_t n,
                  const T* next_keys, SoftmaxState* state) {
  KeyWeights weight[N];
  float rescale[N];
  score_keys<V, N>(a, query, k, n, v, weight);
  for (std::size_t h = 0; h < N; ++h) rescale[h] = exponentiate<V>(weight[h], n, state[h]);
  mix_values<V, N>(a, query, v, n, next_keys, weight, rescale);
}

template <typename V, typename T>
void attention(const Attention& a) {
  const T* k = static_cast<const T*>(a.k);
  const T* v = static_cast<const T*>(a.v);
  const std::size_t block_stride = a.block_stride == 0 ? kKeyBlock * a.head_dim : a.block_stride;
  std::fill_n(a.out, a.n_queries * a.head_dim, 0.0F);
  for (std::size_t first = 0; first < a.n_queries; first += kMaxQueries) {
    const std::size_t last = std::min(first + kMaxQueries, a.n_queries);
    SoftmaxState state[kMaxQueries];
    const T* keys = k + a.first_key / kKeyBlock * block_stride;
    const T* values = v + a.first_key / kKeyBlock * block_stride;
    for (std::size_t j = a.first_key / kKeyBlock * kKeyBlock; j < a.n_keys; j += kKeyBlock) {
      const std::size_t unseen = a.first_key > j ? a.first_key - j : 0;
      const std::size_t n = std::min(kKeyBlock, a.n_keys - j) - unseen;
      const bool more = j + kKeyBlock < a.n_keys;
      const T* next_keys = more ? keys + block_stride : keys;
      if (more) {
        prefetch_pages(next_keys, kKeyBlock * a.head_dim);
        prefetch_pages(values + block_stride, kKeyBlock * a.head_dim);
      }
      std::size_t query = first;
      const auto attend = [&]<std::size_t N>() {
        for (; query + N <= last; query += N)
          attend_block<V, N>(a, query, keys + unseen * a.head_dim, values + unseen * a.head_dim, n, next_keys,
                             state + (query - first));
      };
      attend.template operator()<kQueryTile>();
      attend.template operator()<2>();
      attend.template operator()<1>();
      keys += block_stride;
      values += block_stride;
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
