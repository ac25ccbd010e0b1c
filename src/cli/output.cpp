#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bitnet/error.h"

namespace bitnet::cli {

void write_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      throw RuntimeError(std::string("stdout: cannot write: ") + std::strerror(errno));
    }
  }
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

}  // namespace bitnet::cli
