#include "cli/chat/wide_text.h"

#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

static_assert(sizeof(wchar_t) == 4, "a wide character holds any code point");

constexpr char32_t kReplacement = 0xFFFD;

void append(std::string& out, char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacement;
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
    return;
  }
  const unsigned n_more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  constexpr char32_t kLeads[] = {0, 0xC0, 0xE0, 0xF0};
  put(kLeads[n_more] | c >> (6 * n_more));
  for (unsigned i = n_more; i-- > 0;) put(0x80 | (c >> (6 * i) & 0x3F));
}

}  // namespace

std::wstring wide_of(std::string_view text) {
  std::wstring out;
  while (!text.empty()) {
    const Utf8Unit unit = decode_utf8(text);
    const bool is_character = unit.kind == Utf8Unit::Kind::character;
    out.push_back(static_cast<wchar_t>(is_character ? unit.code_point : kReplacement));
    text.remove_prefix(unit.length);
  }
  return out;
}

std::string utf8_of(std::wstring_view text) {
  std::string out;
  for (const wchar_t c : text) append(out, static_cast<char32_t>(c));
  return out;
}

}  // namespace bitnet::cli
