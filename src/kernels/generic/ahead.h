// Memory that is asked for bit by bit while something else is worked on.
#pragma once

#include <algorithm>
#include <cstddef>

namespace bitnet::kernels::generic {

// Into the second cache. Inlined at once: files built for different instruction sets include this.
class Ahead {
 public:
  // In n_asks parts.
  [[gnu::always_inline]] Ahead(const std::byte* data, std::size_t n_bytes, std::size_t n_asks)
      : at_(data), end_(data + n_bytes), step_((n_bytes / n_asks / kLine + 1) * kLine) {}

  [[gnu::always_inline]] void ask() {
    const std::byte* const stop = static_cast<std::size_t>(end_ - at_) > step_ ? at_ + step_ : end_;
    for (; at_ < stop; at_ += kLine) __builtin_prefetch(at_, 0, 2);
  }

 private:
  static constexpr std::size_t kLine = 64;

  const std::byte* at_;
  const std::byte* end_;
  std::size_t step_;
};

}  // namespace bitnet::kernels::generic
