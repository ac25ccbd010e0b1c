#include "base/affinity.h"

#include <cstddef>

namespace bitnet {

#ifdef __linux__

bool pin_thread(pthread_t thread, int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return false;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<std::size_t>(cpu), &mask);
  return pthread_setaffinity_np(thread, sizeof mask, &mask) == 0;
}

PinnedThread::PinnedThread(std::optional<int> cpu) {
  if (!cpu || *cpu < 0 || *cpu >= CPU_SETSIZE) return;
  if (pthread_getaffinity_np(pthread_self(), sizeof before_, &before_) != 0) return;
  pinned_ = CPU_ISSET(static_cast<std::size_t>(*cpu), &before_) && pin_thread(pthread_self(), *cpu);
}

PinnedThread::~PinnedThread() {
  if (pinned_) pthread_setaffinity_np(pthread_self(), sizeof before_, &before_);
}

#else

bool pin_thread(pthread_t, int) { return false; }
PinnedThread::PinnedThread(std::optional<int>) {}
PinnedThread::~PinnedThread() = default;

#endif

}  // namespace bitnet
