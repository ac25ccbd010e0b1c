#include "cli/terminal/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "bitnet/error.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/progress_line.h"

namespace bitnet::cli {
namespace {

// A stdout opened by someone else may refuse bytes instead of waiting for its reader.
bool wait_until_writable() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, -1) >= 0;
}

}  // namespace

void write_stdout(std::string_view text) {
  erase_progress_line();  // both may be the same terminal
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      if (text.empty() || !interrupted()) continue;
      errno = EINTR;  // a part was written, and the next would wait like this one
    }
    if (errno == EAGAIN && wait_until_writable()) continue;
    if (errno != EINTR || interrupted()) {
      const std::string what = std::string("stdout: cannot write: ") + std::strerror(errno);
      if (errno == EPIPE) throw BrokenPipe(what);
      throw RuntimeError(what);
    }
  }
}

void write_last_words(std::string_view text) {
  constexpr int kPatience = 1000;  // milliseconds
  while (!text.empty()) {
    pollfd out{STDOUT_FILENO, POLLOUT, 0};
    if (::poll(&out, 1, kPatience) <= 0) throw RuntimeError("stdout: cannot write: nobody reads it");
    const std::string_view part = text.substr(0, PIPE_BUF);  // so much a pipe that is ready takes at once
    write_stdout(part);
    text.remove_prefix(part.size());
  }
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

}  // namespace bitnet::cli
