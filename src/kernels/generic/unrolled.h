// Loops over registers.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace bitnet::kernels::generic {

// Calls body with 0 .. n - 1 as constants: sums that a loop counts through stay in registers only where it is
// unrolled.
template <std::size_t n, typename Body>
[[gnu::always_inline]] inline void unrolled(Body body) {
  [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    (body(std::integral_constant<std::size_t, i>{}), ...);
  }
  (std::make_index_sequence<n>{});
}

template <std::size_t n, std::size_t m, typename Body>
[[gnu::always_inline]] inline void for_each(Body body) {
  unrolled<n>([&](auto i) __attribute__((always_inline)) {
    unrolled<m>([&](auto j) __attribute__((always_inline)) { body(i, j); });
  });
}

}  // namespace bitnet::kernels::generic
