// The tokens that tokenizer.json adds to those of its model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "convert/huggingface/json_file.h"

namespace bitnet::convert {

struct AddedToken {
  std::uint64_t id = 0;
  std::string spelling;
  bool is_special = false;
  bool takes_spaces = false;   // those of the text before or behind it are part of it: lstrip, rstrip
  bool is_word = false;        // found only where no letter or number is beside it: single_word
  bool is_normalized = false;  // looked for in normalized text
};

// `shown` names the file in messages. Throws ModelError where they are no list of tokens with ids.
std::vector<AddedToken> read_added_tokens(const Json& tokenizer, const std::string& shown);

// Notes what of them a GGUF file cannot say, where it changes the tokens of a text. has_prefix: normalizing
// puts a space before a text.
void note_unlike_in_gguf(std::span<const AddedToken> added, bool has_prefix, const std::string& shown,
                         std::vector<std::string>& notes);

}  // namespace bitnet::convert
