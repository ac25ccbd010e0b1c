// From a spelling to the token that has it: a flat hash table over spellings that stay where they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bitnet {

class PieceIndex {
 public:
  static constexpr std::int32_t kNone = -1;

  PieceIndex() = default;
  // At most 2^31 - 1 pieces, which must outlive the index. Of equal pieces the first is found, of empty ones
  // none.
  explicit PieceIndex(std::span<const std::string_view> pieces);

  std::int32_t find(std::string_view spelling) const {
    // Spares the hashing of candidates that are far longer than any token.
    return spelling.size() > longest_ ? kNone : find(prepare(spelling));
  }

  // A search in two steps, for many at a time: what is prepared is on its way from memory when it is looked
  // at.
  struct Query {
    std::string_view spelling;
    std::uint64_t hash;
  };
  Query prepare(std::string_view spelling) const;
  std::int32_t find(const Query& query) const;

 private:
  // Most spellings fit into their slot, so that a search touches one cache line and not three.
  static constexpr std::size_t kInline = 16;
  struct Slot {
    std::int32_t id = kNone;
    std::uint32_t length = 0;
    std::array<std::uint64_t, 2> front{};  // word_of the first and the second 8 bytes
  };

  static Slot make_slot(std::int32_t id, std::string_view spelling);
  // Where the spelling is, or the empty slot where it would be.
  std::size_t slot_of(const Slot& wanted, const Query& query) const;

  std::span<const std::string_view> pieces_;
  std::vector<Slot> slots_;
  std::size_t longest_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace bitnet
