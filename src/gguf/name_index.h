// Finding names in logarithmic time by a sorted list of 32-bit indices: 4 bytes for each name, which stay
// where they are. `name_of(i)` gives the string_view of the i-th.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

namespace bitnet::gguf {

// Makes `order` 0, 1, ... n-1 sorted by name; equal names stay in file order. Allocates n * 4 bytes at most.
template <typename NameOf>
void sort_names(std::vector<std::uint32_t>& order, std::size_t n, const NameOf& name_of) {
  order.resize(n);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    const int compared = name_of(a).compare(name_of(b));
    return compared != 0 ? compared < 0 : a < b;
  });
}

// The index of `name`; nullopt when it is not there. `order` comes from sort_names.
template <typename NameOf>
std::optional<std::size_t> find_name(const std::vector<std::uint32_t>& order, std::string_view name,
                                     const NameOf& name_of) {
  const auto at = std::ranges::lower_bound(order, name, {}, name_of);
  if (at == order.end() || name_of(*at) != name) return std::nullopt;
  return *at;
}

// The index of an entry whose name an earlier one has; nullopt when there is none. `order` comes from
// sort_names.
template <typename NameOf>
std::optional<std::size_t> find_duplicate(const std::vector<std::uint32_t>& order, const NameOf& name_of) {
  const auto first = std::ranges::adjacent_find(order, {}, name_of);
  if (first == order.end()) return std::nullopt;
  return *std::next(first);
}

}  // namespace bitnet::gguf
