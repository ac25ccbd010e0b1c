// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace bitnet {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}  // may be -1: that of a file that could not be opened
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace bitnet
