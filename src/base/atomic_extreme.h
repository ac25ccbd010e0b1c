// The least or the most of what several threads find.
#pragma once

#include <atomic>

namespace bitnet {

template <typename Value>
void keep_least(std::atomic<Value>& kept, Value found) {
  Value seen = kept.load();
  while (found < seen && !kept.compare_exchange_weak(seen, found)) {
  }
}

template <typename Value>
void keep_most(std::atomic<Value>& kept, Value found) {
  Value seen = kept.load();
  while (seen < found && !kept.compare_exchange_weak(seen, found)) {
  }
}

}  // namespace bitnet
