#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "bitnet/error.h"
#include "cli/interrupt.h"

namespace bitnet::cli {
namespace {

constexpr int kPatience = 1000;  // milliseconds

// False: not within so many milliseconds, or a signal came first. -1: however long it takes.
bool wait_until_writable(int milliseconds) {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, milliseconds) > 0;
}

// Once interrupted, the last words go out if somebody takes them soon: a pipe that is ready has room for
// PIPE_BUF bytes.
ssize_t write_some(std::string_view text) {
  if (interrupted()) {
    if (!wait_until_writable(kPatience)) {
      errno = ETIMEDOUT;
      return -1;
    }
    text = text.substr(0, PIPE_BUF);
  }
  return ::write(STDOUT_FILENO, text.data(), text.size());
}

}  // namespace

void write_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write_some(text);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EAGAIN && wait_until_writable(-1)) continue;
    if (errno != EINTR || interrupted()) {
      throw RuntimeError(std::string("stdout: cannot write: ") + std::strerror(errno));
    }
  }
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

}  // namespace bitnet::cli
