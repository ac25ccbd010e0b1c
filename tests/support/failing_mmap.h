// Makes mapping files fail, as on a file system that cannot do it. Replaces mmap in the program it is linked
// to.
#pragma once

namespace bitnet::test {

// While it lives, mapping a file fails with this error; memory can be had as before.
class FailingMmap {
 public:
  explicit FailingMmap(int error);
  FailingMmap(const FailingMmap&) = delete;
  FailingMmap& operator=(const FailingMmap&) = delete;
  ~FailingMmap();
};

}  // namespace bitnet::test
