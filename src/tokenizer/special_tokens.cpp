#include "tokenizer/special_tokens.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "bitnet/error.h"

namespace bitnet {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

}  // namespace

SpecialTokens::SpecialTokens(const TokenTable& table, bool with_control) : table_(&table) {
  for (std::int32_t id = 0; static_cast<std::size_t>(id) < table.size(); ++id) {
    const bool wanted = table.type(id) == TokenType::user_defined || (with_control && table.is_hidden(id));
    if (!wanted || table.piece(id).empty()) continue;
    if (table.piece(id).size() > kMaxLength) {
      throw ModelError("tokenizer.ggml.tokens[" + std::to_string(id) + "]",
                       "a special token of " + std::to_string(table.piece(id).size()) + " bytes",
                       "at most " + std::to_string(kMaxLength) + " are supported");
    }
    ids_.push_back(id);
  }
  std::ranges::sort(ids_, {}, [&](std::int32_t id) { return std::tuple(table.piece(id), id); });
  for (const std::int32_t id : ids_) ++first_byte_[byte_at(table.piece(id), 0) + std::size_t{1}];
  for (std::size_t b = 1; b < first_byte_.size(); ++b) first_byte_[b] += first_byte_[b - 1];
}

std::optional<SpecialTokens::Match> SpecialTokens::next(std::string_view text, std::size_t from) const {
  if (ids_.empty()) return std::nullopt;
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (auto match = longest_at(text, begin)) return match;
  }
  return std::nullopt;
}

std::optional<SpecialTokens::Match> SpecialTokens::longest_at(std::string_view text,
                                                              std::size_t begin) const {
  const unsigned first = byte_at(text, begin);
  auto low = ids_.begin() + static_cast<std::ptrdiff_t>(first_byte_[first]);
  auto high = ids_.begin() + static_cast<std::ptrdiff_t>(first_byte_[first + 1]);
  std::optional<Match> match;
  // Invariant: [low, high) are the spellings that agree with the text in their first `length` bytes.
  for (std::size_t length = 1; low != high; ++length) {
    if (table_->piece(*low).size() == length) {
      match = {begin, length, *low};
      // Of equal spellings the lowest id is first; the rest are passed over.
      while (low != high && table_->piece(*low).size() == length) ++low;
    }
    if (begin + length == text.size()) break;
    const unsigned char wanted = byte_at(text, begin + length);
    const auto next_byte = [&](std::int32_t id) { return byte_at(table_->piece(id), length); };
    low = std::ranges::lower_bound(low, high, wanted, {}, next_byte);
    high = std::ranges::upper_bound(low, high, wanted, {}, next_byte);
  }
  return match;
}

}  // namespace bitnet
