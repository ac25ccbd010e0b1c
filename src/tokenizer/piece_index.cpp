#include "tokenizer/piece_index.h"

#include <algorithm>
#include <bit>

#include "tokenizer/hash.h"

namespace bitnet {

PieceIndex::PieceIndex(std::span<const std::string_view> pieces)
    : pieces_(pieces),
      // At most half full, so that a search ends after a step or two.
      slots_(std::bit_ceil(2 * pieces.size() + 1)),
      seed_(hash_seed()) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].empty()) continue;
    longest_ = std::max(longest_, pieces[i].size());
    const Slot made = make_slot(static_cast<std::int32_t>(i), pieces[i]);
    Slot& slot = slots_[slot_of(made, {pieces[i], hash_of(pieces[i], seed_)})];
    if (slot.id == kNone) slot = made;
  }
}

PieceIndex::Query PieceIndex::prepare(std::string_view spelling) const {
  const Query query{spelling, hash_of(spelling, seed_)};
  if (!slots_.empty()) __builtin_prefetch(&slots_[query.hash & (slots_.size() - 1)]);
  return query;
}

std::int32_t PieceIndex::find(const Query& query) const {
  if (query.spelling.empty() || slots_.empty()) return kNone;
  return slots_[slot_of(make_slot(kNone, query.spelling), query)].id;
}

PieceIndex::Slot PieceIndex::make_slot(std::int32_t id, std::string_view spelling) {
  Slot slot;
  slot.id = id;
  slot.length = static_cast<std::uint32_t>(std::min<std::size_t>(spelling.size(), UINT32_MAX));
  slot.front[0] = word_of(spelling.substr(0, 8));
  if (spelling.size() > 8) slot.front[1] = word_of(spelling.substr(8, 8));
  return slot;
}

std::size_t PieceIndex::slot_of(const Slot& wanted, const Query& query) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = query.hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNone) return at;
    if (slot.length != wanted.length) continue;
    if (slot.front[0] != wanted.front[0] || slot.front[1] != wanted.front[1]) continue;
    if (query.spelling.size() <= kInline) return at;
    if (pieces_[static_cast<std::size_t>(slot.id)] == query.spelling) return at;
  }
}

}  // namespace bitnet
