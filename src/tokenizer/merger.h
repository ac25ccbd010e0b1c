// The heart of BPE: merge the best-ranked adjacent pair, the leftmost among equals, until none can be merged.
//
// A linked list of symbols and a queue of candidate pairs: O(n log n). A queued pair is out of date when one
// of its symbols has been merged since; that shows in the length of the two together, for symbols only ever
// grow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace bitnet {

// A stretch of the text and the token it makes, or kNoToken.
struct Symbol {
  static constexpr std::int32_t kNoToken = -1;
  static constexpr std::uint32_t kNoNeighbour = UINT32_MAX;

  std::uint32_t begin;
  std::uint32_t length;  // 0 once it has been merged into its left neighbour
  std::int32_t token;
  std::uint32_t previous;
  std::uint32_t next;
};

// What a pair of symbols would become; the lowest rank merges first.
struct PairMerge {
  std::uint32_t rank;
  std::int32_t token;
};

// Reused for one text after another, to spare allocations. Texts must be shorter than 2^32 - 1 bytes.
class Merger {
 public:
  void clear() { symbols_.clear(); }

  void append(std::uint32_t begin, std::uint32_t length, std::int32_t token) {
    const auto index = static_cast<std::uint32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back(
        {begin, length, token, index > 0 ? index - 1 : Symbol::kNoNeighbour, Symbol::kNoNeighbour});
  }

  // find_pair(left, right) -> std::optional<PairMerge>
  template <typename FindPair>
  void merge(const FindPair& find_pair) {
    queue_.clear();
    for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) {
      if (const auto candidate = candidate_at(i, find_pair)) queue_.push_back(*candidate);
    }
    std::ranges::make_heap(queue_, std::greater{}, &Candidate::order);
    while (!queue_.empty()) {
      std::ranges::pop_heap(queue_, std::greater{}, &Candidate::order);
      const Candidate best = queue_.back();
      queue_.pop_back();

      Symbol& left = symbols_[best.left()];
      if (left.length == 0 || left.next == Symbol::kNoNeighbour) continue;
      Symbol& right = symbols_[left.next];
      if (left.length + right.length != best.length) continue;

      left.length = best.length;
      left.token = best.token;
      left.next = right.next;
      right.length = 0;
      if (left.next != Symbol::kNoNeighbour) symbols_[left.next].previous = best.left();

      if (left.previous != Symbol::kNoNeighbour) enqueue(left.previous, find_pair);
      enqueue(best.left(), find_pair);
    }
  }

  // What is left, in the order of the text.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const Symbol& symbol : symbols_) {
      if (symbol.length > 0) visit(symbol);
    }
  }

 private:
  struct Candidate {
    std::uint64_t order;   // rank, then the left symbol's index
    std::uint32_t length;  // of both symbols together
    std::int32_t token;

    std::uint32_t left() const { return static_cast<std::uint32_t>(order); }
  };

  template <typename FindPair>
  std::optional<Candidate> candidate_at(std::uint32_t index, const FindPair& find_pair) const {
    const Symbol& left = symbols_[index];
    if (left.next == Symbol::kNoNeighbour) return std::nullopt;
    const Symbol& right = symbols_[left.next];
    const std::optional<PairMerge> pair = find_pair(left, right);
    if (!pair) return std::nullopt;
    return Candidate{std::uint64_t{pair->rank} << 32 | index, left.length + right.length, pair->token};
  }

  template <typename FindPair>
  void enqueue(std::uint32_t index, const FindPair& find_pair) {
    const auto candidate = candidate_at(index, find_pair);
    if (!candidate) return;
    queue_.push_back(*candidate);
    std::ranges::push_heap(queue_, std::greater{}, &Candidate::order);
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;
};

}  // namespace bitnet
