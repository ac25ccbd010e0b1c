// Rows and columns that a list names, asked for in time.
#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace bitnet::kernels::generic
