// From a pair of tokens to the token they merge into: a flat hash table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tokenizer/merger.h"

namespace bitnet {

class MergeTable {
 public:
  // Holds at most `capacity` pairs.
  explicit MergeTable(std::size_t capacity);

  // Of several merges of one pair the first added counts.
  void add(std::int32_t left, std::int32_t right, PairMerge merge);
  // Starts fetching from memory what the pair's search will look at.
  void prefetch(std::int32_t left, std::int32_t right) const;
  std::optional<PairMerge> find(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t pair;
    PairMerge merge;
  };
  std::size_t slot_of(std::uint64_t pair) const;

  std::vector<Slot> slots_;
  std::uint64_t seed_;
};

}  // namespace bitnet
