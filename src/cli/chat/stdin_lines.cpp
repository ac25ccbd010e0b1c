#include "cli/chat/stdin_lines.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bitnet/error.h"
#include "cli/terminal/held_signals.h"
#include "cli/terminal/interrupt.h"

namespace bitnet::cli {

LineSource::Event StdinLines::next(std::string& line) {
  const HeldSignals held;
  std::size_t searched = 0;
  for (;;) {
    if (interrupted()) return Event::interrupted;
    const std::size_t end = unread_.find('\n', searched);
    if (end != std::string::npos || (at_end_ && !unread_.empty())) {
      line.assign(unread_, 0, end);
      unread_.erase(0, end == std::string::npos ? end : end + 1);
      if (line.ends_with('\r')) line.pop_back();
      ++n_lines_;
      return Event::line;
    }
    if (at_end_) return Event::end;
    searched = unread_.size();
    if (searched > kMaxMessageBytes) {
      throw ModelError("stdin", "line " + std::to_string(n_lines_ + 1) + " is longer than 1 MiB",
                       "each line is one message: pass shorter ones");
    }
    if (!held.wait_for_input()) continue;
    std::array<char, 4096> block;
    const ssize_t n = ::read(STDIN_FILENO, block.data(), block.size());
    if (n < 0 && errno != EINTR)
      throw ModelError("stdin", std::string("cannot read: ") + std::strerror(errno));
    if (n == 0) at_end_ = true;
    if (n > 0) unread_.append(block.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace bitnet::cli
