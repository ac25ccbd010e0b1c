// Where a token's text begins among the characters of an answer.
#pragma once

#include <cstdint>
#include <string>

#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace bitnet::http {

class TextOffset {
 public:
  // The tokenizer must outlive it.
  TextOffset(const Tokenizer& tokenizer, bool shows_special)
      : detokenizer_(tokenizer, shows_special, /*starts_text=*/false) {}

  // Of the next token, in characters as the text has them: bytes that are none are U+FFFD there. A token that
  // goes on with a character begins behind it.
  std::int64_t value() const { return n_whole_ + (is_within_character() ? 1 : 0); }
  void pass(TokenId id);
  void move_by(std::int64_t n_characters) { n_whole_ += n_characters; }

 private:
  bool is_within_character() const;

  Detokenizer detokenizer_;
  std::int64_t n_whole_ = 0;  // characters, and what it was moved by
};

// Of valid UTF-8.
std::int64_t n_characters(std::string_view text);

}  // namespace bitnet::http
