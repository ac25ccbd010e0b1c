#include "cli/terminal/word_wrap.h"

#include "cli/terminal/cell_width.h"
#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

constexpr char32_t kZeroWidthJoiner = 0x200D;
constexpr char32_t kEmojiPresentation = 0xFE0F;  // may widen the character before it
constexpr std::size_t kTabStop = 8;

// No row begins with these...
constexpr std::u32string_view kClosing =
    U",.:;!?)]}\u2019\u201D\u3001\u3002\u3005\u3009\u300B\u300D\u300F\u3011\u3015\u30FB\u30FC"
    U"\uFF01\uFF09\uFF0C\uFF0E\uFF1A\uFF1B\uFF1F\uFF3D\uFF5D";
// ... and none ends with these.
constexpr std::u32string_view kOpening =
    U"([{\u2018\u201C\u3008\u300A\u300C\u300E\u3010\u3014\uFF08\uFF3B\uFF5B";

bool is_skin_tone(char32_t c) { return c >= 0x1F3FB && c <= 0x1F3FF; }

bool is_one_of(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

}  // namespace

void WordWrap::push(std::string_view text, std::size_t columns, std::string& out) {
  columns_ = columns;
  if (columns_ < kFewestColumns) {
    out += spaces_ + word_;
    out += text;
    *this = {};
    return;
  }
  if (column_ > columns_) column_ %= columns_;  // the window became narrower
  while (!text.empty()) {
    const Utf8Unit unit = decode_utf8(text);
    const bool is_character = unit.kind == Utf8Unit::Kind::character;
    take(is_character ? unit.code_point : char32_t{0xFFFD}, text.substr(0, unit.length), out);
    text.remove_prefix(unit.length);
  }
}

void WordWrap::push_mark(std::string_view mark, std::string& out) {
  if (is_overlong_) {
    out += mark;
  } else {
    word_ += mark;
  }
}

void WordWrap::finish(std::string& out) {
  end_word(out);
  spaces_.clear();
  space_cells_ = 0;
  column_ = 0;
}

void WordWrap::take(char32_t c, std::string_view bytes, std::string& out) {
  if (c == U'\n' || c == U'\r') {
    end_word(out);
    spaces_.clear();
    space_cells_ = 0;
    column_ = 0;
    out += bytes;
    return;
  }
  if (c == U' ' || c == U'\t') {
    end_word(out);
    spaces_ += bytes;
    space_cells_ += c == U' ' ? 1 : kTabStop - (column_ + space_cells_) % kTabStop;
    if (column_ + space_cells_ >= columns_) {  // nothing that follows fits this row
      spaces_.resize(column_ == 0 ? 0 : 1);
      space_cells_ = columns_;
    }
    return;
  }
  const std::size_t width = cell_width(c);
  if (may_break_before(c, width)) end_word(out);
  if (width > 0) {
    last_ = c;
    last_width_ = width;
    is_joined_ = false;
  } else if (c == kZeroWidthJoiner) {
    is_joined_ = true;
  }
  const std::size_t cells = c == kEmojiPresentation && last_width_ == 1 ? 1 : width;
  if (is_overlong_) {
    out += bytes;
    advance(cells);
    return;
  }
  word_ += bytes;
  word_cells_ += cells;
  if (word_cells_ > columns_) {
    end_row(out);
    out += word_;
    word_.clear();
    advance(word_cells_);
    word_cells_ = 0;
    is_overlong_ = true;
  }
}

bool WordWrap::may_break_before(char32_t c, std::size_t width) const {
  if (width == 0 || is_joined_ || is_skin_tone(c)) return false;
  const bool is_ideograph = width > 1 || last_width_ > 1;
  return is_ideograph && !is_one_of(c, kClosing) && !is_one_of(last_, kOpening);
}

// Shows it, on the next row if it does not fit this one.
void WordWrap::end_word(std::string& out) {
  if (!word_.empty()) {
    if (column_ + space_cells_ + word_cells_ > columns_) end_row(out);
    out += spaces_;
    out += word_;
    advance(space_cells_ + word_cells_);
    spaces_.clear();
    space_cells_ = 0;
    word_.clear();
    word_cells_ = 0;
  }
  is_overlong_ = false;
  last_ = U'\0';
  last_width_ = 0;
  is_joined_ = false;
}

// Nothing where a row has just begun.
void WordWrap::end_row(std::string& out) {
  if (column_ > 0) out += '\n';
  column_ = 0;
  spaces_.clear();
  space_cells_ = 0;
}

// As a terminal does that breaks its rows by itself.
void WordWrap::advance(std::size_t cells) {
  column_ += cells;
  if (column_ > columns_) column_ = (column_ - 1) % columns_ + 1;
}

}  // namespace bitnet::cli
