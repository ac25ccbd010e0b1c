// Makes locking files fail, as on a file system that has no locks. Replaces flock in the program it is linked
// to.
#pragma once

namespace bitnet::test {

// While it lives, locking fails with this error.
class FailingFlock {
 public:
  explicit FailingFlock(int error);
  FailingFlock(const FailingFlock&) = delete;
  FailingFlock& operator=(const FailingFlock&) = delete;
  ~FailingFlock();
};

}  // namespace bitnet::test
