// Rows and columns that a list names, asked for in time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/sparse.h"

namespace bitnet::kernels::generic {

// How many rows or columns of a list ahead are asked for, whole. Into L2: on a Zen 4 the first cache has
// buffers for a third fewer lines under way.
inline constexpr std::size_t kListRowsAhead = 32;
inline constexpr std::size_t kListColumnsAhead = 64;

// Runs of n_bytes at `numbers`[0, n), the first lines of all first: more of the memory's pages are open then.
// Inlined: GCC leaves out the call of a function that only prefetches.
[[gnu::always_inline]] static inline void ask_for(const std::byte* data, const std::uint32_t* numbers,
                                                  std::size_t n, std::size_t n_bytes) {
  constexpr int kRead = 0;
  constexpr int kIntoL2 = 2;
  for (std::size_t at = 0; at < n_bytes; at += 64) {
    for (std::size_t i = 0; i < n; ++i) __builtin_prefetch(data + numbers[i] * n_bytes + at, kRead, kIntoL2);
  }
}

// rows_times(R, i) for rows [i, i + R) of the list, R being N while there are so many and then 1, as a
// constant.
template <std::size_t N, typename RowsTimes>
inline void for_listed_rows(const std::byte* data, std::size_t row_bytes, const std::uint32_t* rows,
                            std::size_t n_rows, RowsTimes rows_times) {
  ask_for(data, rows, n_rows < kListRowsAhead ? n_rows : kListRowsAhead, row_bytes);
  std::size_t i = 0;
  for (; i + N <= n_rows; i += N) {
    if (i + kListRowsAhead + N <= n_rows) ask_for(data, rows + i + kListRowsAhead, N, row_bytes);
    rows_times(std::integral_constant<std::size_t, N>{}, i);
  }
  for (; i < n_rows; ++i) rows_times(std::integral_constant<std::size_t, 1>{}, i);
}

// add_group(i) for each group of columns [i, i + kColumnGroup) of the list.
template <typename AddGroup>
inline void for_column_groups(const quant::Columns& w, const ColumnList& list, AddGroup add_group) {
  const std::size_t column_bytes = w.column_bytes();
  ask_for(w.data, list.columns, list.n < kListColumnsAhead ? list.n : kListColumnsAhead, column_bytes);
  for (std::size_t i = 0; i < list.n; i += kColumnGroup) {
    if (i + kListColumnsAhead < list.n)
      ask_for(w.data, list.columns + i + kListColumnsAhead, kColumnGroup, column_bytes);
    add_group(i);
  }
}

}  // namespace bitnet::kernels::generic
