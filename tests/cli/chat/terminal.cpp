#include "cli/chat/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace bitnet::test {

Terminal::Terminal(unsigned short columns) : screen_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (screen_ < 0 || ::grantpt(screen_) != 0 || ::unlockpt(screen_) != 0) return;
  if (const char* name = ::ptsname(screen_)) terminal_ = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal_ >= 0) resize(columns);
}

Terminal::~Terminal() {
  if (terminal_ >= 0) ::close(terminal_);
  if (screen_ >= 0) ::close(screen_);
}

void Terminal::resize(unsigned short columns) const {
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(terminal_, TIOCSWINSZ, &size);
}

void Terminal::type(const std::string& keys) const {
  if (::write(screen_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    throw std::system_error(errno, std::generic_category(), "keyboard");
  }
}

bool Terminal::read_some(int milliseconds) {
  pollfd in{screen_, POLLIN, 0};
  if (::poll(&in, 1, milliseconds) <= 0) return false;
  std::array<char, 4096> block{};
  const ssize_t n = ::read(screen_, block.data(), block.size());
  if (n <= 0) return false;
  unseen_.append(block.data(), static_cast<std::size_t>(n));
  return true;
}

bool Terminal::shows(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    const std::size_t at = unseen_.find(text);
    if (at != std::string::npos) {
      unseen_.erase(0, at + text.size());
      return true;
    }
    read_some(100);
  }
  return false;
}

std::string Terminal::read_all() {
  ::close(std::exchange(terminal_, -1));
  while (read_some(-1)) {
  }
  return std::exchange(unseen_, {});
}

}  // namespace bitnet::test
