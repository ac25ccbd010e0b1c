#include "support/disk_calls.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace {

bool is_listing = false;
int error_of_fsync = 0;
std::vector<std::string> listed_calls;

}  // namespace

namespace bitnet::test {

DiskCalls::DiskCalls(int fsync_error) {
  listed_calls.clear();
  error_of_fsync = fsync_error;
  is_listing = true;
}
DiskCalls::~DiskCalls() {
  is_listing = false;
  error_of_fsync = 0;
}

std::vector<std::string> DiskCalls::list() const { return listed_calls; }

}  // namespace bitnet::test

// Before the C library's.
extern "C" int fsync(int descriptor) {
  if (is_listing) {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error);
    listed_calls.push_back("fsync " + path.string());
  }
  if (error_of_fsync != 0) {
    errno = error_of_fsync;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (is_listing) listed_calls.push_back(std::string("rename ") + from + " " + to);
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
