#include "support/live_bytes.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

std::size_t g_live = 0;
std::size_t g_peak = 0;

}  // namespace

// The array and nothrow forms come down to these.
void* operator new(std::size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  g_live += ::malloc_usable_size(block);
  g_peak = std::max(g_peak, g_live);
  return block;
}

void operator delete(void* block) noexcept {
  if (block != nullptr) g_live -= ::malloc_usable_size(block);
  std::free(block);
}

void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace bitnet::test {

std::size_t live_bytes() { return g_live; }
std::size_t peak_bytes() { return g_peak; }
void reset_peak() { g_peak = g_live; }

}  // namespace bitnet::test
