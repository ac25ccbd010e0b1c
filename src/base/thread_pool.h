// Threads made once that share out the blocks of a loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace bitnet {

// Blocks are claimed one by one, so a thread that the system runs late takes fewer of them and holds nobody
// up. Which thread computes a block never changes what is computed.
class ThreadPool {
 public:
  // A range [begin, end) of the loop. Must not throw.
  using Body = FunctionRef<void(std::size_t begin, std::size_t end)>;

  // n_threads counts the calling thread; at least 1. Throws RuntimeError when threads cannot be made.
  explicit ThreadPool(unsigned n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned n_threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  // Calls body for [0, n) in blocks of `grain` (the last may be shorter) and returns when all are done. One
  // caller at a time; body must not call back into the pool. Allocates nothing.
  void parallel_for(std::size_t n, std::size_t grain, Body body);

 private:
  struct Job {
    const Body* body = nullptr;
    std::size_t n = 0;
    std::size_t grain = 1;
    std::uint32_t n_blocks = 0;
  };

  void work();
  bool run_one_block();
  void stop_workers();

  // epoch << 32 | blocks not yet claimed. A claim is a compare-and-swap on the pair, so a thread that slept
  // through a whole job cannot claim from the next one with stale knowledge. job_ is read only while holding
  // a claimed block, and the caller doesn't change it before every claimed block is done.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // what idle workers wait on
  alignas(64) std::atomic<std::uint32_t> pending_{
      0};  // blocks of this job not yet done; the caller waits on it
  std::atomic<bool> stopping_{false};
  Job job_;
  std::vector<std::thread> workers_;
};

}  // namespace bitnet
