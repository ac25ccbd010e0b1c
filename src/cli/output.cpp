#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bitnet/error.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"

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
      throw RuntimeError(std::string("stdout: cannot write: ") + std::strerror(errno));
    }
  }
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

}  // namespace bitnet::cli
