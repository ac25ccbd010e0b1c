// What systems call differently, or lack, of mapping memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>

namespace bitnet {

// Of mmap, for memory that becomes real page by page, when it is touched.
inline constexpr int kAnonymousMemory = MAP_PRIVATE | MAP_ANONYMOUS
#ifdef MAP_NORESERVE
                                        | MAP_NORESERVE
#endif
    ;

// Brings whole pages near. A wish: nothing depends on the answer, nor on whether the system knows of it.
inline void populate([[maybe_unused]] void* pages, [[maybe_unused]] std::size_t n_bytes) {
#ifdef MADV_POPULATE_READ
  ::madvise(pages, n_bytes, MADV_POPULATE_READ);
#endif
}

}  // namespace bitnet
