#include "tokenizer/token_table.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "bitnet/error.h"

namespace bitnet {
namespace {

// Spellings that nobody writes but as a control token. "</s>" is not among them: HTML has it too.
constexpr std::array<std::string_view, 7> kEndOfTurn = {
    "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "<|end|>", "<|eom_id|>", "<end_of_turn>"};

constexpr auto kNormal = static_cast<std::int8_t>(TokenType::normal);
constexpr auto kControl = static_cast<std::int8_t>(TokenType::control);

bool is_end_of_turn(std::string_view spelling) {
  return spelling.starts_with('<') && std::ranges::find(kEndOfTurn, spelling) != kEndOfTurn.end();
}

std::int8_t checked_type(std::int32_t type, std::size_t index) {
  constexpr std::int32_t kUndefined = 0;  // written by some converters for "nothing special"
  if (type == kUndefined) return kNormal;
  if (type < kNormal || type > static_cast<std::int32_t>(TokenType::byte)) {
    throw ModelError("tokenizer.ggml.token_type[" + std::to_string(index) + "]",
                     std::to_string(type) + " is not a token type (1 to 6)", "the file is damaged");
  }
  return static_cast<std::int8_t>(type);
}

}  // namespace

TokenTable::TokenTable(std::vector<std::string_view> pieces, std::span<const std::int32_t> types)
    : pieces_(std::move(pieces)) {
  if (pieces_.empty()) throw ModelError("tokenizer.ggml.tokens", "the vocabulary is empty");
  if (pieces_.size() > std::numeric_limits<std::int32_t>::max()) {
    throw ModelError("tokenizer.ggml.tokens",
                     std::to_string(pieces_.size()) + " tokens are more than ids can name");
  }
  if (!types.empty() && types.size() != pieces_.size()) {
    throw ModelError("tokenizer.ggml.token_type", std::to_string(types.size()) + " types for " +
                                                      std::to_string(pieces_.size()) + " tokens");
  }
  types_.assign(pieces_.size(), kNormal);
  for (std::size_t i = 0; i < types.size(); ++i) types_[i] = checked_type(types[i], i);
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (is_end_of_turn(pieces_[i])) types_[i] = kControl;
  }
  index_ = PieceIndex(pieces_);
}

bool is_end_spelling(std::string_view spelling) { return spelling == "</s>" || is_end_of_turn(spelling); }

}  // namespace bitnet
