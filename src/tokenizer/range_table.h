// A property of all code points, given by where each range of equal values begins.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace bitnet {

template <typename Value>
struct CodePointRange {
  char32_t first;  // of the range, which reaches to the next one's
  Value value;
};

// Made at compile time of `ranges`, in rising order from 0 on, which must outlive it.
template <typename Value, std::size_t kRanges>
class RangeTable {
 public:
  constexpr explicit RangeTable(const CodePointRange<Value> (&ranges)[kRanges]) : ranges_(ranges) {
    static_assert(kRanges <= UINT16_MAX);
    std::size_t range = 0;
    for (std::size_t block = 0; block < starts_.size(); ++block) {
      while (range + 1 < kRanges && ranges[range + 1].first <= block * kBlock) ++range;
      starts_[block] = static_cast<std::uint16_t>(range);
    }
  }

  constexpr Value operator[](char32_t c) const {
    const std::size_t block = std::min<std::size_t>(c / kBlock, starts_.size() - 2);
    // The range is the last that begins at or before c: one of those between the starts of two blocks.
    std::size_t low = starts_[block];
    std::size_t high = starts_[block + 1] + std::size_t{1};
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (ranges_[middle].first <= c ? low : high) = middle;
    }
    return ranges_[low].value;
  }

 private:
  static constexpr std::size_t kBlock = 128;

  const CodePointRange<Value>* ranges_;
  std::array<std::uint16_t, 0x110000 / kBlock + 1> starts_{};  // the range that each block begins in
};

}  // namespace bitnet
