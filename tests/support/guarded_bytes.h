// A copy of some bytes behind which nothing can be read: who does is ended by the system.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <stdexcept>

namespace bitnet::test {

class GuardedBytes {
 public:
  explicit GuardedBytes(std::span<const std::byte> bytes) : n_bytes_(bytes.size()) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t n_readable = (n_bytes_ + page - 1) / page * page;
    size_ = n_readable + page;
    pages_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages_ == MAP_FAILED) throw std::runtime_error("no memory for guarded bytes");
    end_ = static_cast<std::byte*>(pages_) + n_readable;
    std::ranges::copy(bytes, end_ - n_bytes_);
    if (::mprotect(end_, page, PROT_NONE) != 0) throw std::runtime_error("no guard behind bytes");
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { ::munmap(pages_, size_); }

  std::span<const std::byte> span() const { return {end_ - n_bytes_, n_bytes_}; }

 private:
  std::size_t n_bytes_;
  std::size_t size_ = 0;
  void* pages_ = nullptr;
  std::byte* end_ = nullptr;
};

}  // namespace bitnet::test
