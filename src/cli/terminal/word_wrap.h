// Lines broken between words, for text that comes in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet::cli {

// Holds back the word that may still grow, until it is known whether it fits the row. Ideographs and emoji
// can be parted, but for the marks and punctuation that belong to one. What is longer than a row is left to
// the terminal, and so is everything on one that is narrower than kFewestColumns.
class WordWrap {
 public:
  static constexpr std::size_t kFewestColumns = 10;

  // Appends to `out` what can be shown by now, with a line break in place of the spaces where a row of
  // `columns` ends. The width may change from call to call.
  void push(std::string_view text, std::size_t columns, std::string& out);
  // Something that takes no room, a change of colour, where the text stands now.
  void push_mark(std::string_view mark, std::string& out);
  // What was held back. The next text starts at the beginning of a row.
  void finish(std::string& out);

 private:
  void take(char32_t c, std::string_view bytes, std::string& out);
  bool may_break_before(char32_t c, std::size_t width) const;
  void end_word(std::string& out);
  void end_row(std::string& out);
  void advance(std::size_t cells);

  std::size_t columns_ = 0;
  std::size_t column_ = 0;  // that the next character gets, once what is held back is shown
  std::string spaces_;      // held back, before the word
  std::size_t space_cells_ = 0;
  std::string word_;
  std::size_t word_cells_ = 0;
  bool is_overlong_ = false;  // the word's beginning filled a row and has been shown
  char32_t last_ = U'\0';     // of the word; marks are not counted
  std::size_t last_width_ = 0;
  bool is_joined_ = false;  // a joiner stands at its end
};

}  // namespace bitnet::cli
