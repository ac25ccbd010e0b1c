// Attention over keys and values that are floats, written once over the 16-lane float V of a backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/generic/attention_rows.h"

namespace bitnet::kernels::generic {

// Elements of a head whose values are mixed by one tile of rows before the next.
inline constexpr std::size_t kMixedAtOnce = 64;
// What is widened once for all rows, where there are many, stays in L1 meanwhile: 16 KiB of floats. Larger
// heads than that allows for do without; no known model has such.
inline constexpr std::size_t kWidened = kKeyBlock * kMixedAtOnce;
// From so many rows on: at 8 widening again for each tile is faster by a tenth, at 32 slower by a sixteenth.
inline constexpr std::size_t kWidenedRows = 24;

// Loops over the parts of a tile are unrolled by order: what is left to GCC it keeps in memory.

// weight[q][j + k] = query q . key k * scale, for N queries and K keys
template <typename V, std::size_t N, std::size_t K, typename T>
inline void score_tile(const Attention& a, const float* const* q, const T* keys, KeyWeights* weight,
                       std::size_t j) {
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
      const V query = load_up_to_16<V>(q[h] + i, m);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < K; ++k) sum[h][k] = fma(query, key[k], sum[h][k]);
    }
  });
  if constexpr (N == 4 && K == 4) {
    reduce_add_4x4(sum, V::broadcast(a.scale), weight[0] + j, kKeyBlock);
  } else if constexpr (N == 4 && K == 1) {
    float folded[4];
    const V of_query[4] = {sum[0][0], sum[1][0], sum[2][0], sum[3][0]};
    reduce_add_4(of_query, folded);
    for (std::size_t h = 0; h < N; ++h) weight[h][j] = folded[h] * a.scale;
  } else {
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
}

// Scores of n keys, and nothing else: inlined into what calls it, GCC keeps sums on the stack. `ahead` are
// values that will be wanted, as many; or nullptr.
template <typename V, std::size_t N, typename T>
[[gnu::noinline]] void score_keys(const Attention& a, const float* const* q, const T* keys, std::size_t n,
                                  const T* ahead, KeyWeights* weight, std::size_t first) {
  std::size_t j = 0;
  for (; j + V::kTile <= n; j += V::kTile) {
    if (ahead != nullptr) prefetch(ahead + j * a.head_dim, V::kTile * a.head_dim);
    score_tile<V, N, V::kTile>(a, q, keys + j * a.head_dim, weight, first + j);
  }
  for (; j < n; ++j) score_tile<V, N, 1>(a, q, keys + j * a.head_dim, weight, first + j);
}

// Elements [i, i + 16 * D), or the last m of them, of out = out * rescale + sum over j of weight[j] * value
// j, in ascending j. `values` are those elements of the first key, `stride` further of the next. `ahead` are
// keys that will be wanted, 16 * D elements for each of the n; or nullptr.
template <typename V, std::size_t N, std::size_t D, typename T>
[[gnu::noinline]] void mix_values(float* const* out, std::size_t i, std::size_t m, const T* values,
                                  std::size_t stride, std::size_t n, const T* ahead, const KeyWeights* weight,
                                  const float* rescale) {
  V mixed[N][D];
#pragma GCC unroll 4
  for (std::size_t h = 0; h < N; ++h) {
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d)
      mixed[h][d] = load_up_to_16<V>(out[h] + i + 16 * d, m) * V::broadcast(rescale[h]);
  }
  for (std::size_t j = 0; j < n; ++j) {
    if (ahead != nullptr) prefetch(ahead + j * 16 * D, 16 * D);
    V value[D];
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) value[d] = load_up_to_16<V>(values + j * stride + 16 * d, m);
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
    for (std::size_t d = 0; d < D; ++d) mixed[h][d].store(out[h] + i + 16 * d, m);
  }
}

// Keys and values of type T.
template <typename V, typename T>
class FloatAttention {
 public:
  explicit FloatAttention(const Attention& a) : a_(a) {}

  void start(const AttentionRows&, std::size_t, std::size_t rows_per_head) {
    is_widened_ =
        !std::is_same_v<T, float> && rows_per_head >= kWidenedRows && kKeysAtOnce * a_.head_dim <= kWidened;
  }

  void attend(AttentionRows& all, const KeyBlock& block, std::span<const Run> runs) {
    const std::size_t d = a_.head_dim;
    const auto* keys = reinterpret_cast<const T*>(block.keys);
    const auto* values = reinterpret_cast<const T*>(block.values);
    const auto* next_keys = reinterpret_cast<const T*>(block.next_keys);
    const std::size_t first = block.seen.first;
    const std::size_t end = first + block.seen.n;
    for (std::size_t begin = first; begin < end; begin += kKeysAtOnce) {
      const SeenKeys chunk{begin, std::min(kKeysAtOnce, end - begin)};
      if (is_widened_) {
        widen(keys + begin * d, chunk.n * d, chunk.n * d, 1, values + begin * d);
        score<float>(all, runs, chunk, widened_, nullptr);
      } else {
        score<T>(all, runs, chunk, keys + begin * d, values + begin * d);
      }
    }
    for (const Run& run : runs) exponentiate<V>(all, run.rows, run.seen.n);
    for (std::size_t i = 0; i < d; i += kMixedAtOnce) {
      const std::size_t width = std::min(kMixedAtOnce, d - i);
      const T* stripe = values + first * d + i;
      const T* ahead = next_keys + i * kKeyBlock;  // the stripes of a head together ask for the next block
      if (is_widened_) {
        widen(stripe, width, d, block.seen.n, ahead);
        mix<float>(all, runs, first, i, width, widened_, width, nullptr);
      } else {
        mix<T>(all, runs, first, i, width, stripe, d, ahead);
      }
    }
  }

 private:
  // n_rows of `width` elements, `stride` apart, one after the other.
  void widen(const T* from, std::size_t width, std::size_t stride, std::size_t n_rows, const T* ahead) {
    for (std::size_t row = 0; row < n_rows; ++row) {
      prefetch(ahead + row * width, width);
      for_each_16(width, [&](std::size_t i, std::size_t m) {
        load_up_to_16<V>(from + row * stride + i, m).store(widened_ + row * width + i, m);
      });
    }
  }

  // Those keys of the chunk that a run sees, for every run; only the first tile of all asks ahead.
  template <typename U>
  void score(AttentionRows& all, std::span<const Run> runs, SeenKeys chunk, const U* keys,
             const U* ahead) const {
    for (const Run& run : runs) {
      const std::size_t begin = std::max(run.seen.first, chunk.first);
      const std::size_t end = std::min(run.seen.first + run.seen.n, chunk.first + chunk.n);
      if (begin >= end) continue;
      const std::size_t at = (begin - chunk.first) * a_.head_dim;
      for_row_tiles(run.rows, [&]<std::size_t N>(std::size_t row) {
        const bool asks = ahead != nullptr && row == runs.front().rows.begin;
        score_keys<V, N>(a_, all.q + row, keys + at, end - begin, asks ? ahead + at : nullptr,
                         all.weight + row, begin - run.seen.first);
      });
    }
  }

  // Elements [i, i + width) of the values of all keys from `first` on.
  template <typename U>
  void mix(AttentionRows& all, std::span<const Run> runs, std::size_t first, std::size_t i, std::size_t width,
           const U* values, std::size_t stride, const U* ahead) const {
    for (const Run& run : runs) {
      const U* of_run = values + (run.seen.first - first) * stride;
      const auto part = [&]<std::size_t D>(std::size_t at, std::size_t m) {
        for_row_tiles(run.rows, [&]<std::size_t N>(std::size_t row) {
          const bool asks = ahead != nullptr && row == runs.front().rows.begin;
          mix_values<V, N, D>(all.out + row, i + at, m, of_run + at, stride, run.seen.n,
                              asks ? ahead + at * kKeyBlock : nullptr, all.weight + row, all.rescale + row);
        });
      };
      std::size_t at = 0;
      for (; at + 16 * V::kTile <= width; at += 16 * V::kTile)
        part.template operator()<V::kTile>(at, std::size_t{16});
      for (; at < width; at += 16) part.template operator()<1>(at, std::min<std::size_t>(16, width - at));
    }
  }

  const Attention& a_;
  bool is_widened_ = false;
  alignas(64) float widened_[std::is_same_v<T, float> ? 1 : kWidened];
};

template <typename V, typename T>
void attention(const Attention& a) {
  constexpr CacheType kType = std::is_same_v<T, float> ? CacheType::f32 : CacheType::f16;
  FloatAttention<V, T> kind(a);
  attend_all<V>(a, kKeyBlock * cache_row_bytes(kType, a.head_dim), kAttentionRows, kind);
}

}  // namespace bitnet::kernels::generic
