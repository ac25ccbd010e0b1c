// Binding threads to CPUs. Only Linux has it; elsewhere nothing is bound, and the answer says so.
#pragma once

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <optional>

namespace bitnet {

// From now on the thread runs on this CPU alone. False where the system refuses.
bool pin_thread(pthread_t thread, int cpu);

// Binds the calling thread to a CPU and gives it back the CPUs it had: the thread belongs to the caller of a
// library. A CPU that it may not use, by its own mask, is left alone, and so is the thread.
class PinnedThread {
 public:
  // Does nothing without a CPU. To be destroyed by the same thread.
  explicit PinnedThread(std::optional<int> cpu);
  ~PinnedThread();
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;

  bool pinned() const { return pinned_; }

 private:
  bool pinned_ = false;
#ifdef __linux__
  cpu_set_t before_;  // only when pinned
#endif
};

}  // namespace bitnet
