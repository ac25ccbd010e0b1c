#include "support/failing_flock.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<int> g_lock_error{0};

}  // namespace

namespace bitnet::test {

FailingFlock::FailingFlock(int error) { g_lock_error = error; }
FailingFlock::~FailingFlock() { g_lock_error = 0; }

}  // namespace bitnet::test

// Before the C library's.
extern "C" int flock(int descriptor, int operation) noexcept {
  if (g_lock_error != 0) {
    errno = g_lock_error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
}
