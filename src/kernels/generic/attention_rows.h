// What attention does alike whatever the keys are kept in: which rows see which keys of a block, and the
// running softmax of a row. A row is a query head of a token. Functions that are no templates over V are
// static: each instruction set has its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

#include "kernels/generic/elementwise.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// Rows whose sums are kept in registers together: each key and value is loaded and widened once for all of
// them, and their sums are independent chains.
inline constexpr std::size_t kTileRows = 4;
// Keys scored by one tile of rows before the next: with more tiles than one they stay in L1 meanwhile.
inline constexpr std::size_t kKeysAtOnce = 16;

// The running softmax of one row.
struct SoftmaxState {
  float max = -std::numeric_limits<float>::max();  // finite, so that scores of -inf don't give inf - inf
  float sum = 0.0F;
};

// The scores of one row over a block of keys, then their weights.
using KeyWeights = float[kKeyBlock];

// Rows worked on together.
struct AttentionRows {
  const float* q[kAttentionRows];  // [head_dim] each
  float* out[kAttentionRows];      // [head_dim] each
  SoftmaxState state[kAttentionRows];
  float
      rescale[kAttentionRows];  // what earlier sums must be multiplied by: exactly 1 where the maximum stood
  alignas(64) KeyWeights weight[kAttentionRows];
};

struct RowRange {
  std::size_t begin;
  std::size_t end;

  std::size_t size() const { return end - begin; }
};

// Asked for ahead: a block's values while its keys are scored, the next block's keys while values are mixed.
// Each takes less than a microsecond, too short a stretch for the processor to see by itself what comes. Into
// L2: in L1, where a block's keys and values just fit, they would drive out what is being worked on, and that
// takes a third longer.
template <typename T>
static inline void prefetch(const T* begin, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 64 / sizeof(T)) __builtin_prefetch(begin + i, 0, 2);
}

// The first lines of each page, a block earlier still: the pages' addresses are known by then, and the
// processor has begun to follow. Over 4000 keys this takes a quarter of the time away.
static inline void prefetch_pages(const std::byte* begin, std::size_t n_bytes) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kLines = 8 * 64;
  for (std::size_t i = 0; i < n_bytes; i += kPage) prefetch(begin + i, std::min(kLines, n_bytes - i));
}

// Calls work<N>(row) for tiles of N = 4, 2 and 1 rows.
template <typename Work>
inline void for_row_tiles(RowRange rows, Work work) {
  std::size_t row = rows.begin;
  for (; row + kTileRows <= rows.end; row += kTileRows) work.template operator()<kTileRows>(row);
  if (row + 2 <= rows.end) {
    work.template operator()<2>(row);
    row += 2;
  }
  if (row < rows.end) work.template operator()<1>(row);
}

// Turns the scores of n keys into exp(score - running maximum).
//
// A function of its own: inlined, GCC keeps the constants of the exponential in registers throughout, and the
// sums of others on the stack.
template <typename V>
[[gnu::noinline]] void exponentiate(AttentionRows& all, RowRange rows, std::size_t n) {
  alignas(64) float fall[kAttentionRows];
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float before = all.state[row].max;
    KeyWeights& weight = all.weight[row];
    for (std::size_t j = n; j % 16 != 0; ++j) weight[j] = before;
    V largest = V::broadcast(before);
    for (std::size_t j = 0; j < n; j += 16) largest = max(largest, V::load(weight + j));
    all.state[row].max = reduce_max(largest);
    fall[row - rows.begin] = before - all.state[row].max;
  }
  for_each_16(rows.size(), [&](std::size_t i, std::size_t m) {
    exp(load_up_to_16<V>(fall + i, m)).store(all.rescale + rows.begin + i, m);
  });
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    SoftmaxState& state = all.state[row];
    float* const weight = all.weight[row];
    const V new_max = V::broadcast(state.max);
    V sum = V::zero();
    std::size_t j = 0;
    for (; j + 16 <= n; j += 16) {
      const V w = exp(V::load(weight + j) - new_max);
      w.store(weight + j);
      sum = sum + w;
    }
    if (j < n) {
      exp(V::load(weight + j, n - j) - new_max).store(weight + j, n - j);
      sum = sum + V::load(weight + j, n - j);
    }
    state.sum = state.sum * all.rescale[row] + reduce_add(sum);
  }
}

// The keys of a block that some rows see: [first, first + n) of those from block * kKeyBlock on.
struct SeenKeys {
  std::size_t first;
  std::size_t n;

  friend bool operator==(const SeenKeys&, const SeenKeys&) = default;
};

// Of the block that begins at key `begin`, for one token; none where n is 0.
static inline SeenKeys seen_keys(const Attention& a, std::size_t token, std::size_t begin) {
  const std::size_t first = std::max(a.first_key(token), begin);
  const std::size_t last = std::min(a.n_keys + token, begin + kKeyBlock);
  return first < last ? SeenKeys{first - begin, last - first} : SeenKeys{0, 0};
}

// Rows that see the same keys of a block.
struct Run {
  RowRange rows;
  SeenKeys seen;
};

// Where a block's keys and values lie, which of them any row sees, and where the next block's keys lie (or,
// at the end, this one's again).
struct KeyBlock {
  const std::byte* keys;
  const std::byte* values;
  SeenKeys seen;
  const std::byte* next_keys;
};

// Tokens [token, token_end) and their query heads [query, query_end), no more than kAttentionRows together,
// over all blocks in ascending order: after kind.start(rows, n_rows), kind.attend(rows, block, runs) for
// each.
template <typename V, typename Kind>
void attend_tokens(const Attention& a, std::size_t token, std::size_t token_end, std::size_t query,
                   std::size_t query_end, std::size_t block_bytes, Kind& kind) {
  AttentionRows rows;
  const std::size_t per_token = query_end - query;
  for (std::size_t t = token; t < token_end; ++t) {
    for (std::size_t h = query; h < query_end; ++h) {
      const std::size_t row = (t - token) * per_token + (h - query);
      const std::size_t at = t * a.token_stride + h * a.head_dim;
      rows.q[row] = a.q + at;
      rows.out[row] = a.out + at;
      rows.state[row] = {};
      std::fill_n(rows.out[row], a.head_dim, 0.0F);
    }
  }
  const std::size_t n_rows = (token_end - token) * per_token;
  kind.start(rows, n_rows);
  const std::size_t stride = a.block_stride == 0 ? block_bytes : a.block_stride;
  const auto offset_of = [&](std::size_t b) { return (a.blocks == nullptr ? b : a.blocks[b]) * stride; };
  const std::size_t end = a.n_keys + token_end - 1;
  for (std::size_t b = a.first_key(token) / kKeyBlock; b * kKeyBlock < end; ++b) {
    const std::size_t begin = b * kKeyBlock;
    const bool is_last = begin + kKeyBlock >= end;
    const std::size_t first = std::max(a.first_key(token), begin) - begin;
    KeyBlock block{.keys = static_cast<const std::byte*>(a.k) + offset_of(b),
                   .values = static_cast<const std::byte*>(a.v) + offset_of(b),
                   .seen = {first, std::min(end - begin, kKeyBlock) - first},
                   .next_keys = nullptr};
    block.next_keys = block.keys;
    if (!is_last) {
      const std::size_t next = offset_of(b + 1);
      block.next_keys = static_cast<const std::byte*>(a.k) + next;
      prefetch_pages(block.next_keys, block_bytes);
      prefetch_pages(static_cast<const std::byte*>(a.v) + next, block_bytes);
    }
    std::array<Run, kAttentionRows> runs;
    std::size_t n_runs = 0;
    for (std::size_t t = token; t < token_end; ++t) {
      const SeenKeys seen = seen_keys(a, t, begin);
      if (seen.n == 0) continue;
      const std::size_t row = (t - token) * per_token;
      Run* const last = n_runs == 0 ? nullptr : &runs[n_runs - 1];
      if (last != nullptr && last->rows.end == row && last->seen == seen) {
        last->rows.end += per_token;
      } else {
        runs[n_runs++] = {{row, row + per_token}, seen};
      }
    }
    kind.attend(rows, block, std::span<const Run>(runs).first(n_runs));
  }
  for (std::size_t row = 0; row < n_rows; ++row) {
    float* out = rows.out[row];
    const V sum = V::broadcast(rows.state[row].sum);
    for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
      (load_up_to_16<V>(out + i, m) / sum).store(out + i, m);
    });
  }
}

// All rows of a call, at most max_rows (up to kAttentionRows) at a time.
template <typename V, typename Kind>
void attend_all(const Attention& a, std::size_t block_bytes, std::size_t max_rows, Kind& kind) {
  const std::size_t n_queries = std::min(a.n_queries, max_rows);
  const std::size_t n_tokens = max_rows / n_queries;
  for (std::size_t token = 0; token < a.n_tokens; token += n_tokens) {
    for (std::size_t query = 0; query < a.n_queries; query += n_queries) {
      attend_tokens<V>(a, token, std::min(token + n_tokens, a.n_tokens), query,
                       std::min(query + n_queries, a.n_queries), block_bytes, kind);
    }
  }
}

}  // namespace bitnet::kernels::generic
