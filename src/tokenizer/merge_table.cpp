#include "tokenizer/merge_table.h"

#include <bit>

#include "tokenizer/hash.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kEmpty = UINT64_MAX;  // no pair: ids are not negative

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(std::size_t capacity)
    // At most two thirds full.
    : slots_(std::bit_ceil(capacity + capacity / 2 + 1), Slot{kEmpty, {}}), seed_(hash_seed()) {}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash_of(pair, seed_) & mask;
  while (slots_[at].pair != pair && slots_[at].pair != kEmpty) at = (at + 1) & mask;
  return at;
}

void MergeTable::add(std::int32_t left, std::int32_t right, PairMerge merge) {
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair == kEmpty) slot = {pair, merge};
}

void MergeTable::prefetch(std::int32_t left, std::int32_t right) const {
  __builtin_prefetch(&slots_[hash_of(pair_of(left, right), seed_) & (slots_.size() - 1)]);
}

std::optional<PairMerge> MergeTable::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  const Slot& slot = slots_[slot_of(pair)];
  if (slot.pair != pair) return std::nullopt;
  return slot.merge;
}

}  // namespace bitnet
