// Tells what a program has asked of the disk, in order. Replaces fsync and rename in the program it is linked
// to.
#pragma once

#include <string>
#include <vector>

namespace bitnet::test {

// While it lives, such calls are listed; with an error, fsync fails with it.
class DiskCalls {
 public:
  explicit DiskCalls(int fsync_error = 0);
  DiskCalls(const DiskCalls&) = delete;
  DiskCalls& operator=(const DiskCalls&) = delete;
  ~DiskCalls();

  // "fsync PATH", "rename FROM TO".
  std::vector<std::string> list() const;
};

}  // namespace bitnet::test
