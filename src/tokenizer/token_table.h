// A vocabulary's tokens, checked: spelling and type of each, and the way back from a spelling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/piece_index.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {

class TokenTable {
 public:
  static constexpr std::int32_t kNone = PieceIndex::kNone;

  // `types` may be empty: all normal. Throws ModelError, naming the key, if the sizes disagree or a type is
  // unknown.
  //
  // A token spelled like an end of turn ("<|eot_id|>") counts as a control token whatever the file says: some
  // converters mark it as a normal one, and text of a user would then end the turn.
  TokenTable(std::vector<std::string_view> pieces, std::span<const std::int32_t> types);
  TokenTable(const TokenTable&) = delete;  // the index points into pieces_
  TokenTable& operator=(const TokenTable&) = delete;
  ~TokenTable() = default;

  std::size_t size() const { return pieces_.size(); }
  std::string_view piece(std::int32_t id) const { return pieces_[static_cast<std::size_t>(id)]; }
  TokenType type(std::int32_t id) const { return TokenType{types_[static_cast<std::size_t>(id)]}; }

  // The token of that spelling, or kNone.
  std::int32_t find(std::string_view spelling) const { return index_.find(spelling); }

  // The same for ordinary text: control and unknown tokens are never made of it.
  std::int32_t find_for_text(std::string_view spelling) const { return for_text(index_.find(spelling)); }

  // The same in two steps, for many searches at a time.
  PieceIndex::Query prepare(std::string_view spelling) const { return index_.prepare(spelling); }
  std::int32_t find_for_text(const PieceIndex::Query& query) const { return for_text(index_.find(query)); }

  // Stands for nothing in the text.
  bool is_hidden(std::int32_t id) const {
    return type(id) == TokenType::control || type(id) == TokenType::unknown;
  }

 private:
  std::int32_t for_text(std::int32_t id) const { return id == kNone || is_hidden(id) ? kNone : id; }

  std::vector<std::string_view> pieces_;
  std::vector<std::int8_t> types_;  // TokenType; a byte each, for they are looked at after every search
  PieceIndex index_;
};

// Whether a control token of this spelling ends what the model has to say.
bool is_end_spelling(std::string_view spelling);

}  // namespace bitnet
