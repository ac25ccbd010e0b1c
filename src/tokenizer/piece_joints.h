// Which characters stand beside each other in the pieces of a vocabulary. Between two that do so in no piece
// no merge can reach across, so that a text may be cut there and each part merged by itself.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tokenizer/hash.h"
#include "tokenizer/utf8.h"

namespace bitnet {

// A character, or a byte that is part of none.
struct CharacterOrByte {
  std::uint32_t code;  // code point, or above all of them
  std::size_t length;

  // At the front of `text`, which must not be empty.
  static CharacterOrByte front(std::string_view text) {
    constexpr std::uint32_t kBytes = 0x110000;
    const Utf8Unit unit = decode_utf8(text);
    if (unit.kind == Utf8Unit::Kind::character) return {unit.code_point, unit.length};
    return {kBytes + static_cast<unsigned char>(text.front()), 1};
  }
};

class PieceJoints {
 public:
  void add(std::string_view piece) {
    std::optional<std::uint32_t> left;
    while (!piece.empty()) {
      const CharacterOrByte right = CharacterOrByte::front(piece);
      if (left) joints_.set(slot_of(*left, right.code));
      left = right.code;
      piece.remove_prefix(right.length);
    }
  }

  // False only where no piece has the two beside each other.
  bool may_join(std::uint32_t left, std::uint32_t right) const { return joints_.test(slot_of(left, right)); }

 private:
  // A published vocabulary has some ten thousand pairs: few others share a slot with one.
  static constexpr std::size_t kSlots = std::size_t{1} << 18;

  static std::size_t slot_of(std::uint32_t left, std::uint32_t right) {
    return hash_of(std::uint64_t{left} << 32 | right, 0) % kSlots;
  }

  std::bitset<kSlots> joints_;
};

}  // namespace bitnet
