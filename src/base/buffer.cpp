#include "base/buffer.h"

#include <sys/mman.h>

#include "base/memory_map.h"

namespace bitnet {
namespace {

// Asking how much there is takes some 100 us, and less than this is soon had.
constexpr std::size_t kLeastAsked = std::size_t{1} << 20;

}  // namespace

AnonymousMemory::AnonymousMemory(std::size_t bytes, const MemoryPurpose& purpose) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes >= kLeastAsked) require_room(memory_room(), bytes, purpose);
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kAnonymousMemory, -1, 0);
  if (p == MAP_FAILED) refuse_memory(memory_room(), bytes, purpose);
  data_ = p;
  reserve_memory(bytes);
}

void AnonymousMemory::prefer_huge_pages() const {
#ifdef MADV_HUGEPAGE
  if (data_ != nullptr) madvise(data_, size_, MADV_HUGEPAGE);  // a wish: nothing depends on the answer
#endif
}

AnonymousMemory::~AnonymousMemory() {
  if (data_ == nullptr) return;
  munmap(data_, size_);
  unreserve_memory(size_);
}

}  // namespace bitnet
