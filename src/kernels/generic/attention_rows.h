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
// processor has begun to follow. Over 4000 keys this takes a quarter of the time away; eight lines of each in
// place of two take a seventh longer on a Zen 5.
static inline void prefetch_pages(const std::byte* begin, std::size_t n_bytes) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kLines = 2 * 64;
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

// Where a block's keys and values of a kv head lie, which of them any row sees, and where the keys lie that
// come next: the next head's, or of the next block (or, at the end, these again).
struct KeyBlock {
  const std::byte* keys;
  const std::byte* values;
  SeenKeys seen;
  const std::byte* next_keys;
};

// Which tokens, kv heads and query heads of each of these are worked on together, no more rows than
// kAttentionRows: [n_heads, n_tokens, n_queries].
struct RowsTogether {
  RowRange tokens;
  RowRange heads;
  RowRange queries;

  std::size_t per_token() const { return queries.size(); }
  std::size_t per_head() const { return tokens.size() * queries.size(); }
  std::size_t size() const { return heads.size() * per_head(); }
};

static inline void start_rows(const Attention& a, const RowsTogether& part, AttentionRows& rows) {
  std::size_t row = 0;
  for (std::size_t head = part.heads.begin; head < part.heads.end; ++head) {
    for (std::size_t t = part.tokens.begin; t < part.tokens.end; ++t) {
      for (std::size_t query = part.queries.begin; query < part.queries.end; ++query, ++row) {
        const std::size_t at = t * a.token_stride + (head * a.n_queries + query) * a.head_dim;
        rows.q[row] = a.q + at;
        rows.out[row] = a.out + at;
        rows.state[row] = {};
        std::fill_n(rows.out[row], a.head_dim, 0.0F);
      }
    }
  }
}

// The first kv head's rows by what they see of the block that begins at key `begin`. Gives how many runs.
static inline std::size_t find_runs(const Attention& a, const RowsTogether& part, std::size_t begin,
                                    std::span<Run, kAttentionRows> runs) {
  std::size_t n_runs = 0;
  for (std::size_t t = part.tokens.begin; t < part.tokens.end; ++t) {
    const SeenKeys seen = seen_keys(a, t, begin);
    if (seen.n == 0) continue;
    const std::size_t row = (t - part.tokens.begin) * part.per_token();
    Run* const last = n_runs == 0 ? nullptr : &runs[n_runs - 1];
    if (last != nullptr && last->rows.end == row && last->seen == seen) {
      last->rows.end += part.per_token();
    } else {
      runs[n_runs++] = {{row, row + part.per_token()}, seen};
    }
  }
  return n_runs;
}

// All blocks in ascending order, and of each the kv heads, as they lie in memory: after kind.start(rows,
// n_rows, rows_per_head), kind.attend(rows, block, runs) for each.
template <typename V, typename Kind>
void attend_rows(const Attention& a, const RowsTogether& part, std::size_t block_bytes, Kind& kind) {
  AttentionRows rows;
  start_rows(a, part, rows);
  kind.start(rows, part.size(), part.per_head());
  const std::size_t stride = a.block_stride == 0 ? block_bytes : a.block_stride;
  const auto offset_of = [&](std::size_t b, std::size_t head) {
    return (a.blocks == nullptr ? b : a.blocks[b]) * stride + head * a.head_stride;
  };
  const auto* const keys = static_cast<const std::byte*>(a.k);
  const auto* const values = static_cast<const std::byte*>(a.v);
  const std::size_t first_key = a.first_key(part.tokens.begin);
  const std::size_t end = a.n_keys + part.tokens.end - 1;
  for (std::size_t b = first_key / kKeyBlock; b * kKeyBlock < end; ++b) {
    const std::size_t begin = b * kKeyBlock;
    const std::size_t first = std::max(first_key, begin) - begin;
    const SeenKeys seen{first, std::min(end - begin, kKeyBlock) - first};
    std::array<Run, kAttentionRows> runs;
    const std::size_t n_runs = find_runs(a, part, begin, runs);
    for (std::size_t head = part.heads.begin; head < part.heads.end; ++head) {
      const std::size_t at = offset_of(b, head);
      std::size_t next = at;
      if (head + 1 < part.heads.end) {
        next = at + a.head_stride;
      } else if (begin + kKeyBlock < end) {
        next = offset_of(b + 1, part.heads.begin);
      }
      if (next != at) {
        prefetch_pages(keys + next, block_bytes);
        prefetch_pages(values + next, block_bytes);
      }
      kind.attend(rows, {keys + at, values + at, seen, keys + next},
                  std::span<const Run>(runs).first(n_runs));
      for (Run& run : std::span(runs).first(n_runs)) {
        run.rows.begin += part.per_head();
        run.rows.end += part.per_head();
      }
    }
  }
  for (std::size_t row = 0; row < part.size(); ++row) {
    float* out = rows.out[row];
    const V sum = V::broadcast(rows.state[row].sum);
    for_each_16(a.head_dim, [&](std::size_t i, std::size_t m) {
      (load_up_to_16<V>(out + i, m) / sum).store(out + i, m);
    });
  }
}

// All rows of a call, at most max_rows (up to kAttentionRows) at a time: as many query heads of a token as
// there are, then tokens, then kv heads.
template <typename V, typename Kind>
void attend_all(const Attention& a, std::size_t block_bytes, std::size_t max_rows, Kind& kind) {
  const std::size_t n_queries = std::min(a.n_queries, max_rows);
  const std::size_t n_tokens = std::min(a.n_tokens, max_rows / n_queries);
  const std::size_t n_heads = std::min(a.n_kv_heads, max_rows / (n_queries * n_tokens));
  const auto up_to = [](std::size_t begin, std::size_t n, std::size_t end) {
    return RowRange{begin, std::min(begin + n, end)};
  };
  for (std::size_t head = 0; head < a.n_kv_heads; head += n_heads) {
    for (std::size_t token = 0; token < a.n_tokens; token += n_tokens) {
      for (std::size_t query = 0; query < a.n_queries; query += n_queries) {
        attend_rows<V>(a,
                       {up_to(token, n_tokens, a.n_tokens), up_to(head, n_heads, a.n_kv_heads),
                        up_to(query, n_queries, a.n_queries)},
                       block_bytes, kind);
      }
    }
  }
}

}  // namespace bitnet::kernels::generic
