#include "convert/huggingface/added_tokens.h"

#include <algorithm>
#include <string_view>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {

std::vector<AddedToken> read_added_tokens(const Json& tokenizer, const std::string& shown) {
  std::vector<AddedToken> tokens;
  const auto added = tokenizer.find("added_tokens");
  if (added == tokenizer.end() || added->is_null()) return tokens;
  if (!added->is_array()) throw ModelError(shown, "added_tokens is no list");
  for (const Json& token : *added) {
    const auto id = token.is_object() ? token.find("id") : token.end();
    if (!token.is_object() || id == token.end() || !id->is_number_unsigned()) {
      throw ModelError(shown, "an entry of added_tokens has no id");
    }
    tokens.push_back({.id = id->get<std::uint64_t>(),
                      .spelling = text_at(token, "content"),
                      .is_special = flag_at(token, "special", false),
                      .takes_spaces = flag_at(token, "lstrip", false) || flag_at(token, "rstrip", false),
                      .is_word = flag_at(token, "single_word", false),
                      .is_normalized = flag_at(token, "normalized", false)});
  }
  return tokens;
}

void note_unlike_in_gguf(std::span<const AddedToken> added, bool has_prefix, const std::string& shown,
                         std::vector<std::string>& notes) {
  const auto note = [&](bool AddedToken::*flag, std::string_view fields, std::string_view meaning) {
    const auto n = std::ranges::count(added, true, flag);
    if (n == 0) return;
    notes.push_back(shown + ": added_tokens: " + std::string(fields) + " of '" +
                    printable(std::ranges::find(added, true, flag)->spelling, kMaxPrintedName) + "'" +
                    (n > 1 ? " and " + std::to_string(n - 1) + " more" : "") +
                    " cannot be said in a GGUF file: " + std::string(meaning));
  };
  note(&AddedToken::takes_spaces, "lstrip or rstrip",
       "spaces beside it, which it takes in, remain part of the text");
  note(&AddedToken::is_word, "single_word", "it is found within words too");
  if (!has_prefix) return;
  note(&AddedToken::is_normalized, "normalized",
       "it is found anywhere, where Hugging Face's library finds it behind a space, which it takes in");
}

}  // namespace bitnet::convert
