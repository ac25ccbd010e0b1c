#include "cli/terminal/text_writer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/terminal/cell_width.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kReserve = 4096;

// Of the terminal, now; 0 where it doesn't say.
std::size_t columns_of_stdout() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

TextWriter::TextWriter(bool wraps) : wraps_(wraps && stdout_is_terminal()) {
  if (!wraps_) return;
  choose_locale();
  ready_.reserve(kReserve);
}

void TextWriter::write(std::string_view text) {
  if (text.empty()) return;
  last_ = text.back();
  if (!wraps_) return write_stdout(text);
  ready_.clear();
  wrap_.push(text, columns_of_stdout(), ready_);
  if (!ready_.empty()) write_stdout(ready_);
}

void TextWriter::write_mark(std::string_view mark) {
  if (!wraps_) return write_stdout(mark);
  ready_.clear();
  wrap_.push_mark(mark, ready_);
  if (!ready_.empty()) write_stdout(ready_);
}

void TextWriter::flush() {
  if (!wraps_) return;
  ready_.clear();
  wrap_.finish(ready_);
  if (interrupted()) {  // the ^C that the terminal shows stands behind the text
    ready_.erase(0, ready_.find_first_not_of(" \n"));
    if (!ready_.empty()) ready_.insert(0, 1, '\n');
  }
  if (!ready_.empty()) write_stdout(ready_);
}

}  // namespace bitnet::cli
