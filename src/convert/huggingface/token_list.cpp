#include "convert/huggingface/token_list.h"

#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {

TokenList::TokenList(std::string shown, std::uint64_t n_rows)
    : shown_(std::move(shown)), tokens_(n_rows), types_(n_rows, TokenType::unused) {
  ids_.reserve(n_rows);
}

void TokenList::refuse(std::uint64_t id, std::string_view spelling, const std::string& what) const {
  throw ModelError(shown_,
                   "token " + std::to_string(id) + " '" + printable(spelling, kMaxPrintedName) + "' " + what,
                   "tokenizer and weights are not of the same model, or damaged");
}

void TokenList::add(std::uint64_t id, std::string spelling, TokenType type) {
  if (id >= tokens_.size()) {
    refuse(id, spelling, "is beyond the embedding's " + std::to_string(tokens_.size()) + " rows");
  }
  if (spelling.empty()) refuse(id, spelling, "has no spelling");
  if (!tokens_[id].empty()) {
    refuse(id, spelling, "was '" + printable(tokens_[id], kMaxPrintedName) + "' before");
  }
  const auto same = ids_.find(spelling);
  if (same != ids_.end()) refuse(id, spelling, "is spelled as token " + std::to_string(same->second));
  tokens_[id] = std::move(spelling);
  ids_.emplace(tokens_[id], id);
  types_[id] = type;
}

void TokenList::add_or_mark(std::uint64_t id, std::string spelling, TokenType type) {
  if (id < tokens_.size() && tokens_[id] == spelling && !spelling.empty()) {
    types_[id] = type;
  } else {
    add(id, std::move(spelling), type);
  }
}

void TokenList::take(std::vector<std::string>& tokens, std::vector<TokenType>& types) {
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty()) tokens_[id] = filled_spelling(id);
  }
  ids_.clear();
  tokens = std::move(tokens_);
  types = std::move(types_);
}

std::string filled_spelling(std::uint64_t id) { return "[PAD" + std::to_string(id) + "]"; }

TokenType type_of_added(std::string_view spelling, bool special) {
  const bool looks_special =
      spelling == "<pad>" || spelling == "<mask>" || (spelling.starts_with("<|") && spelling.ends_with("|>"));
  return special || looks_special ? TokenType::control : TokenType::user_defined;
}

}  // namespace bitnet::convert
