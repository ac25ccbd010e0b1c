#include "service/http/api/text_offset.h"

#include <algorithm>
#include <string_view>

namespace bitnet::http {

std::int64_t n_characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void TextOffset::pass(TokenId id) {
  std::string text;
  detokenizer_.push(id, text);
  n_whole_ += n_characters(text);
}

bool TextOffset::is_within_character() const {
  std::string begun;
  Detokenizer(detokenizer_).flush(begun);
  return !begun.empty();
}

}  // namespace bitnet::http
