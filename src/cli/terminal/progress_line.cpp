#include "cli/terminal/progress_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "cli/terminal/interrupt.h"
#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kErase = "\r\x1b[K";  // to the start of the line, and what stands on it away
constexpr std::size_t kUnknownWidth = 80;
constexpr std::size_t kNarrow = 40;

constexpr std::string_view kStopping = "\r\x1b[Kstopping ...";

// A terminal has one line to redraw, whoever does so: a signal's handler too.
volatile std::sig_atomic_t g_shown = 0;
volatile std::sig_atomic_t g_n_lines = 0;

void write_stderr(std::string_view text) {
  // A progress line that cannot be written is no loss.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

// The front of `text` that takes no more columns. Where a character may be two columns wide, it is taken for
// so.
std::string_view cut_to(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Unit unit = decode_utf8(text.substr(at));
    const std::size_t wide = unit.code_point < 0x1100 ? 1 : 2;
    if (wide > columns) break;
    columns -= wide;
    at += unit.length;
  }
  return text.substr(0, at);
}

bool can_erase() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && (term == nullptr || std::string_view(term) != "dumb");
}

void say_stopping() {
  if (g_n_lines == 0) return;
  const int error = errno;
  write_stderr(kStopping);
  g_shown = 1;
  errno = error;
}

}  // namespace

ProgressLine::ProgressLine(bool quiet) : enabled_(!quiet && can_erase()) {
  if (!enabled_) return;
  on_interrupt(say_stopping);
  g_n_lines = g_n_lines + 1;
}

ProgressLine::~ProgressLine() {
  if (enabled_) g_n_lines = g_n_lines - 1;
  clear();
}

void ProgressLine::show(const std::string& text) {
  if (!enabled_ || interrupted()) return;
  write_stderr(std::string(kErase).append(cut_to(text, width())));
  g_shown = 1;
  if (interrupted()) say_stopping();  // it came in between, and was drawn over
}

void ProgressLine::clear() {
  if (enabled_) erase_progress_line();
}

std::size_t ProgressLine::width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const std::size_t columns = known ? size.ws_col : kUnknownWidth;
  // With the last column filled some terminals wrap, and so does the ^C that is echoed behind the line.
  return columns - (columns > kNarrow ? 3 : 1);
}

void erase_progress_line() {
  if (g_shown != 0) write_stderr(kErase);
  g_shown = 0;
}

}  // namespace bitnet::cli
