#include "support/failing_mmap.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<int> file_error{0};

}  // namespace

namespace bitnet::test {

FailingMmap::FailingMmap(int error) { file_error = error; }
FailingMmap::~FailingMmap() { file_error = 0; }

}  // namespace bitnet::test

// Before the C library's.
extern "C" void* mmap(void* address, size_t size, int protection, int flags, int descriptor,
                      off_t offset) noexcept {
  if (descriptor >= 0 && file_error != 0) {
    errno = file_error;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(  // NOLINT: what the system call gives is an address
      ::syscall(SYS_mmap, address, size, protection, flags, descriptor, offset));
}
