#include "bitnet/tokenizer.h"
#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool with_special, bool starts_text)
    : tokenizer_(&tokenizer),
      with_special_(with_special),
      takes_space_(starts_text && tokenizer.adds_space_prefix()),
      at_start_(takes_space_) {}

void Detokenizer::push(TokenId id, std::string& out) {
  std::string_view bytes = tokenizer_->bytes_of(id, with_special_);
  if (bytes.empty()) return;
  if (at_start_ && bytes.front() == ' ') bytes.remove_prefix(1);
  at_start_ = false;

  // What is held back, at most three bytes, either becomes a character with the next few or is cut off by
  // one.
  while (!pending_.empty() && !bytes.empty()) {
    pending_.push_back(bytes.front());
    const Utf8Unit unit = decode_utf8(pending_);
    if (unit.kind == Utf8Unit::Kind::ill_formed) {
      out.append(kReplacement);
      pending_.clear();
      break;
    }
    bytes.remove_prefix(1);
    if (unit.kind == Utf8Unit::Kind::unfinished) continue;
    out.append(pending_);
    pending_.clear();
  }
  while (!bytes.empty()) {
    const Utf8Unit unit = decode_utf8(bytes);
    if (unit.kind == Utf8Unit::Kind::unfinished) {
      pending_.assign(bytes);
      return;
    }
    out.append(unit.kind == Utf8Unit::Kind::character ? bytes.substr(0, unit.length) : kReplacement);
    bytes.remove_prefix(unit.length);
  }
}

void Detokenizer::flush(std::string& out) {
  // What is held back is always one unfinished character, and so one maximal ill-formed part.
  if (!pending_.empty()) out.append(kReplacement);
  pending_.clear();
  at_start_ = takes_space_;
}

}  // namespace bitnet
