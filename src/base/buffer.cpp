#include "base/buffer.h"

#include <sys/mman.h>

#include <string>

#include "bitnet/error.h"

namespace bitnet {

AnonymousMemory::AnonymousMemory(std::size_t bytes, const char* purpose) : size_(bytes) {
  if (bytes == 0) return;
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    throw RuntimeError("no memory for " + std::string(purpose) + " (" + std::to_string(bytes >> 20) +
                       " MiB); use a smaller context or prefill chunk, or free memory");
  }
  data_ = p;
}

void AnonymousMemory::prefer_huge_pages() const {
#ifdef MADV_HUGEPAGE
  if (data_ != nullptr) madvise(data_, size_, MADV_HUGEPAGE);  // a wish: nothing depends on the answer
#endif
}

AnonymousMemory::~AnonymousMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace bitnet
