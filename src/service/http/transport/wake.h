// A descriptor that can be read from while something is so, for those that wait on several.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/descriptor.h"

namespace bitnet::http {

class Wake {
 public:
  Wake() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe(ends.data()) != 0) return;
    for (const int end : ends) {
      ::fcntl(end, F_SETFD, FD_CLOEXEC);
      ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
    out_ = Descriptor(ends[0]);
    in_ = Descriptor(ends[1]);
  }

  int descriptor() const { return out_.get(); }  // -1 where none could be had

  void raise() const {
    const char any = 0;
    if (::write(in_.get(), &any, 1) < 0) return;  // it is full, and so can be read
  }
  void lower() const {
    std::array<char, 64> any;
    while (::read(out_.get(), any.data(), any.size()) > 0) continue;
  }

 private:
  Descriptor out_;
  Descriptor in_;
};

}  // namespace bitnet::http
