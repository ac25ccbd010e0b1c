// Generated text on its way to stdout.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/terminal/word_wrap.h"

namespace bitnet::cli {

// As it comes, byte for byte; on a terminal with lines broken between words, if that is wanted.
class TextWriter {
 public:
  explicit TextWriter(bool wraps);

  // Throws as write_stdout().
  void write(std::string_view text);
  // An escape sequence that takes no room, before the text that comes next. Only for a terminal.
  void write_mark(std::string_view mark);
  // The word that is held back, be it finished or not.
  void flush();
  char last() const { return last_; }  // of what was written; '\0' before there is anything

 private:
  bool wraps_;
  char last_ = '\0';
  WordWrap wrap_;
  std::string ready_;
};

}  // namespace bitnet::cli
