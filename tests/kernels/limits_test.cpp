// What measures the machine: reading memory and multiplying, for every backend.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

using Limits = EveryBackend;
BITNET_FOR_EVERY_BACKEND(Limits);

// A page behind which none can be read.
class LastPage {
 public:
  LastPage() : pages_(::mmap(nullptr, 2 * size_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (pages_ != MAP_FAILED) ::mprotect(end(), size_, PROT_NONE);
  }
  LastPage(const LastPage&) = delete;
  LastPage& operator=(const LastPage&) = delete;
  ~LastPage() { ::munmap(pages_, 2 * size_); }

  std::byte* end() const { return static_cast<std::byte*>(pages_) + size_; }

 private:
  std::size_t size_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* pages_;
};

TEST_P(Limits, ReadsNothingBehindTheEnd) {
  const LastPage page;
  for (const std::size_t n : kOddLengths) kernels().read_all(page.end() - n, n);
}

TEST_P(Limits, CountsTheProductsOfEachRound) {
  if (kernels().int8_products == nullptr) GTEST_SKIP() << "not measured";
  const double of_one = kernels().int8_products(1);
  EXPECT_GT(of_one, 0);
  EXPECT_EQ(kernels().int8_products(10), 10 * of_one);
}

}  // namespace
}  // namespace bitnet::kernels
