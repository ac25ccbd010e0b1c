// A disk that is soon full: no file may become longer than so many bytes.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace bitnet::test {

// For this process and those that it starts, while it lives. What writes more gets SIGXFSZ, and EFBIG where
// it survives that.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    check(::getrlimit(RLIMIT_FSIZE, &before_));
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    check(::setrlimit(RLIMIT_FSIZE, &limit));
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  static void check(int result) {
    if (result != 0) throw std::system_error(errno, std::generic_category(), "RLIMIT_FSIZE");
  }

  rlimit before_{};
};

}  // namespace bitnet::test
