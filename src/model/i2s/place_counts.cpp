#include "model/i2s/place_counts.h"

#include <algorithm>
#include <cassert>

namespace bitnet {
namespace {

constexpr unsigned kMostRecent = 255;  // that a count of eight bits holds

// Neighbouring bytes to neighbouring counts, so that compilers make vector instructions of it.
void count_zeros(const std::byte* codes, std::size_t n, unsigned bits, std::uint8_t* counts) {
  const auto mask = static_cast<std::byte>(3U << bits);
  const auto zero = static_cast<std::byte>(1U << bits);
  for (std::size_t p = 0; p < n; ++p) {
    counts[p] = static_cast<std::uint8_t>(counts[p] + static_cast<std::uint8_t>((codes[p] & mask) == zero));
  }
}

std::size_t column_of(std::size_t p, std::size_t s, std::size_t cols, I2sLayout layout) {
  if (layout == I2sLayout::rows4) return p;
  const std::size_t group_bytes = layout == I2sLayout::x86 ? 32 : 16;
  const std::size_t byte = p % (cols / 4);
  return byte / group_bytes * group_bytes * 4 + s * group_bytes + byte % group_bytes;
}

}  // namespace

void PlaceCounts::keep_recent() {
  for (std::size_t i = 0; i < recent_.size(); ++i) earlier_[i] += recent_[i];
  std::ranges::fill(recent_, std::uint8_t{0});
  n_recent_ = 0;
}

void PlaceCounts::add(std::span<const std::byte> codes) {
  for (std::size_t at = 0; at < codes.size(); at += cols_) {
    const std::size_t n = std::min(cols_, codes.size() - at);
    if (n_recent_ == kMostRecent) keep_recent();
    for (unsigned s = 0; s < 4; ++s) count_zeros(codes.data() + at, n, 6 - 2 * s, &recent_[s * cols_]);
    ++n_recent_;
  }
}

void PlaceCounts::add(const PlaceCounts& others) {
  assert(cols_ == others.cols_);
  for (std::size_t i = 0; i < earlier_.size(); ++i) earlier_[i] += others.earlier_[i] + others.recent_[i];
}

std::vector<std::uint32_t> PlaceCounts::by_column(I2sLayout layout) const {
  std::vector<std::uint32_t> columns(cols_);
  for (std::size_t s = 0; s < 4; ++s) {
    for (std::size_t p = 0; p < cols_; ++p) {
      columns[column_of(p, s, cols_, layout)] += earlier_[s * cols_ + p] + recent_[s * cols_ + p];
    }
  }
  return columns;
}

}  // namespace bitnet
