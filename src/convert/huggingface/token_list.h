// The tokens of a vocabulary as its files name them, one by one, in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace bitnet::convert {

class TokenList {
 public:
  // `shown` names the file in messages; there are as many tokens as rows of the embedding.
  TokenList(std::string shown, std::uint64_t n_rows);
  TokenList(const TokenList&) = delete;
  TokenList& operator=(const TokenList&) = delete;

  // Throws ModelError when the id is beyond the last row, or either it or the spelling was given before.
  void add(std::uint64_t id, std::string spelling, TokenType type);
  // The same, but the token may be there already, and is of this type then.
  void add_or_mark(std::uint64_t id, std::string spelling, TokenType type);

  bool contains(std::string_view spelling) const { return ids_.contains(spelling); }
  bool contains(std::uint64_t id) const { return id < tokens_.size() && !tokens_[id].empty(); }
  std::size_t size() const { return ids_.size(); }

  // Rows that have no token are given one that no text has, filled_spelling(). The list is empty afterwards.
  void take(std::vector<std::string>& tokens, std::vector<TokenType>& types);

 private:
  [[noreturn]] void refuse(std::uint64_t id, std::string_view spelling, const std::string& what) const;

  std::string shown_;
  std::vector<std::string> tokens_;  // [n_rows]; empty: none yet
  std::vector<TokenType> types_;
  std::unordered_map<std::string_view, std::uint64_t> ids_;  // of those in tokens_
};

std::string filled_spelling(std::uint64_t id);

// What an added token is: one that stands for nothing in the text, or one that is found in it as it is
// spelled. Many that are control tokens by their spelling are not marked as such.
TokenType type_of_added(std::string_view spelling, bool special);

}  // namespace bitnet::convert
