#include "cli/progress_line.h"

#include <unistd.h>

#include <string_view>

#include "cli/log.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kErase = "\r\x1b[K";  // to the start of the line, and what stands on it away

void write_stderr(std::string_view text) {
  // A progress line that cannot be written is no loss.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

ProgressLine::ProgressLine(bool quiet) : enabled_(!quiet && ::isatty(STDERR_FILENO) != 0 && !no_color()) {}

void ProgressLine::show(const std::string& text) {
  if (!enabled_) return;
  write_stderr(std::string(kErase) + text);
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) write_stderr(kErase);
  shown_ = false;
}

}  // namespace bitnet::cli
