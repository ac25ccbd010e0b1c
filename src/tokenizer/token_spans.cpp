#include "tokenizer/token_spans.h"

#include <algorithm>

#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581; SentencePiece takes it for a space

// Bytes at the front of `text` that a token of these bytes stands for.
std::size_t length_in(std::string_view text, std::string_view bytes) {
  if (text.empty()) return 0;
  if (bytes.empty()) {  // the unknown token: one character, or a byte of none
    const Utf8Unit unit = decode_utf8(text);
    return unit.kind == Utf8Unit::Kind::character ? unit.length : 1;
  }
  std::size_t at = 0;
  for (const char c : bytes) {
    const bool escaped = c == ' ' && at < text.size() && text.substr(at).starts_with(kEscapedSpace);
    at += escaped ? kEscapedSpace.size() : 1;
  }
  return std::min(at, text.size());
}

}  // namespace

void append_spans(const Tokenizer& tokenizer, std::span<const TokenId> ids, std::string_view run, bool starts,
                  std::size_t begin, std::vector<TokenSpan>& out) {
  starts = starts && tokenizer.adds_space_prefix();
  std::size_t at = 0;
  for (const TokenId id : ids) {
    std::string_view bytes = tokenizer.bytes_of(id);
    const bool is_prefix = starts && (bytes.empty() || bytes == " ");
    if (starts && bytes.starts_with(' ')) bytes.remove_prefix(1);
    starts = false;
    const std::size_t length = is_prefix ? 0 : length_in(run.substr(at), bytes);
    out.push_back({id, begin + at, begin + at + length});
    at += length;
  }
  // Nothing of the text is lost where a vocabulary has no token for a space and spells its escape in bytes.
  if (!ids.empty()) out.back().end = begin + run.size();
}

}  // namespace bitnet
