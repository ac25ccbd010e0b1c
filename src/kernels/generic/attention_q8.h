// Attention over int8 keys and values: Kernels::attention_q8. Whole numbers are multiplied by what a backend
// has for it, Dots; the rest is written once over its 16-lane float V.
//
// Dots::score<N>(q, q_stride, keys, head_dim, n, sums) for N queries of codes and n <= kKeysAtOnce keys:
// sums[h][j] = q[h] . keys[j]. Queries are zero from head_dim to q_stride, a multiple of kCodes: keys may be
// read so far.
//
// Dots::mix<N>(codes, values, stride, n, ahead, sums) for the N rows of codes of n keys: sums[h][i] = sum
// over j of codes[h][j] * values[j * stride + i], i < kStripe. Codes are zero from n to the next even number.
// `ahead` is memory that will be wanted, 64 bytes for each key, or nullptr.
//
// A row of keys or values may be read up to kStripe bytes beyond the end of its head: at least the next row
// is there, or the block's units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/generic/attention_rows.h"
#include "kernels/generic/elementwise.h"

namespace bitnet::kernels::generic {

inline constexpr std::size_t kCodes = 32;   // codes of a query come in so many
inline constexpr std::size_t kStripe = 64;  // elements of a head whose sums are taken together
// Codes of all queries worked on together: 8 KiB, whatever the head.
inline constexpr std::size_t kQueryCodes = 4096;
static_assert(kStripe <= kKeyBlock * sizeof(float));

// Of all rows' query codes: head_dim products of it and of 127 are added up in 32 bits.
static inline float largest_query_code(std::size_t head_dim) {
  const std::size_t fits = std::numeric_limits<std::int32_t>::max() / (127 * head_dim);
  return static_cast<float>(std::min<std::size_t>(fits, std::numeric_limits<std::int16_t>::max()));
}

// n values rounded to codes of at most `largest`; what one is worth. Codes up to the next multiple of 16 are
// set to zero.
template <typename V>
float round_to_i16(const float* x, std::size_t n, float largest, std::int16_t* codes) {
  const float widest = widest_of<V>(x, n);
  const float s = largest / (widest < 0x1p-100F ? 0x1p-100F : widest);
  for_each_16(n, [&](std::size_t i, std::size_t m) {
    const V v = load_up_to_16<V>(x + i, m) * V::broadcast(s);
    round_even(min(max(v, V::broadcast(-largest)), V::broadcast(largest))).store_i16(codes + i);
  });
  return 1.0F / s;
}

template <typename V, typename Dots>
class Q8Attention {
 public:
  explicit Q8Attention(const Attention& a) : a_(a), q_stride_((a.head_dim + kCodes - 1) / kCodes * kCodes) {}

  // Rows whose query codes fit, at least one of the largest heads.
  std::size_t max_rows() const { return std::clamp<std::size_t>(kQueryCodes / q_stride_, 1, kAttentionRows); }

  void start(const AttentionRows& all, std::size_t n_rows, std::size_t) {
    const float largest = largest_query_code(a_.head_dim);
    for (std::size_t row = 0; row < n_rows; ++row) {
      std::int16_t* const codes = query_codes_ + row * q_stride_;
      query_unit_[row] = round_to_i16<V>(all.q[row], a_.head_dim, largest, codes) * a_.scale;
      for (std::size_t i = (a_.head_dim + 15) / 16 * 16; i < q_stride_; ++i) codes[i] = 0;
    }
  }

  void attend(AttentionRows& all, const KeyBlock& block, std::span<const Run> runs) {
    for (const Run& run : runs) {  // only the first run asks ahead
      score(all, run, block.keys, &run == runs.data() ? block.values : nullptr);
      exponentiate<V>(all, run.rows, run.seen.n);
      round_weights(all, run, block.values);
    }
    for (const Run& run : runs) mix(all, run, block.values, &run == runs.data() ? block.next_keys : nullptr);
  }

 private:
  const std::int8_t* rows_of(const std::byte* block, SeenKeys seen) const {
    return reinterpret_cast<const std::int8_t*>(block) + seen.first * a_.head_dim;
  }
  const float* units_of(const std::byte* block, SeenKeys seen) const {
    return reinterpret_cast<const float*>(block + kKeyBlock * a_.head_dim) + seen.first;
  }

  void score(AttentionRows& all, const Run& run, const std::byte* block, const std::byte* values) const {
    const std::int8_t* keys = rows_of(block, run.seen);
    const float* units = units_of(block, run.seen);
    for (std::size_t j = 0; j < run.seen.n; j += kKeysAtOnce) {
      const std::size_t n = std::min(kKeysAtOnce, run.seen.n - j);
      if (values != nullptr) prefetch(rows_of(values, run.seen) + j * a_.head_dim, n * a_.head_dim);
      const V unit = load_up_to_16<V>(units + j, n);
      for_row_tiles(run.rows, [&]<std::size_t N>(std::size_t row) {
        alignas(64) std::int32_t sums[N][kKeysAtOnce];
        Dots::template score<N>(query_codes_ + row * q_stride_, q_stride_, keys + j * a_.head_dim,
                                a_.head_dim, n, sums);
        for (std::size_t h = 0; h < N; ++h) {
          const V product = V::load_i32(sums[h]) * V::broadcast(query_unit_[row + h]);
          (product * unit).store(all.weight[row + h] + j, n);
        }
      });
    }
  }

  void round_weights(const AttentionRows& all, const Run& run, const std::byte* block) {
    const float* units = units_of(block, run.seen);
    for (std::size_t row = run.rows.begin; row < run.rows.end; ++row) {
      alignas(64) KeyWeights weight;
      for_each_16(run.seen.n, [&](std::size_t j, std::size_t m) {
        (load_up_to_16<V>(all.weight[row] + j, m) * load_up_to_16<V>(units + j, m)).store(weight + j, m);
      });
      constexpr float kLargest = std::numeric_limits<std::int16_t>::max();
      weight_unit_[row] = round_to_i16<V>(weight, run.seen.n, kLargest, weight_codes_[row]);
    }
  }

  void mix(AttentionRows& all, const Run& run, const std::byte* block, const std::byte* next_keys) const {
    const std::int8_t* values = rows_of(block, run.seen);
    for (std::size_t i = 0; i < a_.head_dim; i += kStripe) {
      const std::size_t n = std::min(kStripe, a_.head_dim - i);
      for_row_tiles(run.rows, [&]<std::size_t N>(std::size_t row) {
        alignas(64) std::int32_t sums[N][kStripe];
        const bool asks = next_keys != nullptr && row == run.rows.begin;
        Dots::template mix<N>(weight_codes_ + row, values + i, a_.head_dim, run.seen.n,
                              asks ? next_keys + i * kKeyBlock : nullptr, sums);
        for (std::size_t h = 0; h < N; ++h) {
          float* const out = all.out[row + h] + i;
          const V rescale = V::broadcast(all.rescale[row + h]);
          const V unit = V::broadcast(weight_unit_[row + h]);
          for_each_16(n, [&](std::size_t at, std::size_t m) {
            const V before = load_up_to_16<V>(out + at, m) * rescale;
            fma(V::load_i32(sums[h] + at), unit, before).store(out + at, m);
          });
        }
      });
    }
  }

  const Attention& a_;
  std::size_t q_stride_;
  float query_unit_[kAttentionRows];  // times the scores' scale
  float weight_unit_[kAttentionRows];
  alignas(64) std::int16_t query_codes_[kQueryCodes];
  alignas(64) std::int16_t weight_codes_[kAttentionRows][kKeyBlock];
};

template <typename V, typename Dots>
void attention_q8(const Attention& a) {
  Q8Attention<V, Dots> kind(a);
  attend_all<V>(a, kKeyBlock * cache_row_bytes(CacheType::q8, a.head_dim), kind.max_rows(), kind);
}

}  // namespace bitnet::kernels::generic
