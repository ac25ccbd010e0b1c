// A pipe that closes with this object and is not inherited by accident.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace bitnet::test {

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    close_writer();
  }

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }

  // Everything up to the end; our own writing end must be closed.
  std::string read_all() const {
    std::string text;
    std::array<char, 4096> block{};
    for (ssize_t n = 0; (n = ::read(reader(), block.data(), block.size())) > 0;) {
      text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  void close_end(std::size_t end) {
    const int descriptor = std::exchange(ends_[end], -1);
    if (descriptor >= 0) ::close(descriptor);
  }

  std::array<int, 2> ends_{-1, -1};
};

}  // namespace bitnet::test
