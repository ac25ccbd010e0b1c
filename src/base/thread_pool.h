// Threads made once that share out the blocks of a loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/affinity.h"
#include "base/function_ref.h"

namespace bitnet {

// Each thread begins with a stretch of the loop of its own and then takes blocks that others have not come
// to, so a thread that the system runs late computes fewer of them and holds nobody up. Which thread computes
// a block never changes what is computed.
class ThreadPool {
 public:
  // A range [begin, end) of the loop. Must not throw.
  using Body = FunctionRef<void(std::size_t begin, std::size_t end)>;

  // n_threads counts the calling thread; at least 1. Those that are made take no signals. Given CPUs, one for
  // each thread, the threads that are made here are bound to all but the first of them; that one is for the
  // caller (pin_caller). Throws RuntimeError when threads cannot be made.
  explicit ThreadPool(unsigned n_threads, std::span<const int> cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned n_threads() const { return static_cast<unsigned>(workers_.size()) + 1; }
  // How many of them the system let be bound to a CPU, the caller included; 0 without CPUs.
  unsigned n_pinned() const { return n_pinned_; }

  // What the calling thread and those of the pool have run so far, together, by clocks that are exact and
  // cost little; 0 where the system has none. The process's own clock lags for threads that are running.
  double processor_seconds() const;

  // Binds the calling thread to its CPU for as long as the object lives; does nothing without CPUs.
  PinnedThread pin_caller() const { return PinnedThread(caller_cpu_); }

  // Calls body for ranges that make up [0, n), each of whole blocks of `grain` (the last block may be
  // shorter), and returns when all are done. One caller at a time; body must not call back into the pool.
  // Allocates nothing.
  void parallel_for(std::size_t n, std::size_t grain, Body body);

  // Inside a body: which of its pool's n_threads() threads runs it; 0 is the caller.
  static unsigned thread_index();

 private:
  struct Job {
    const Body* body = nullptr;
    std::size_t n = 0;
    std::size_t grain = 1;
  };
  // The stretch of blocks [end - left, end) that one thread begins with, on a cache line of its own: most
  // claims touch no line that another thread writes to.
  struct alignas(64) Stretch {
    std::atomic<std::uint32_t> left{0};
    std::uint32_t end = 0;
  };

  void work(std::size_t self);
  std::uint32_t run_blocks(std::size_t self);
  std::uint32_t run_blocks_of(Stretch& stretch);
  void pin_to(std::span<const int> cpus);
  void stop_workers();

  // Lowering `left` claims a block. job_ and `end` are read only while holding a claimed block, and the
  // caller doesn't change them before every claimed block is done; so it does no harm that a thread which
  // slept through a whole job claims from the next.
  std::vector<Stretch> stretches_;
  alignas(64) std::atomic<std::uint32_t> epoch_{0};    // what idle workers wait on
  alignas(64) std::atomic<std::uint32_t> pending_{0};  // blocks of this job not done; the caller waits on it
  std::atomic<bool> stopping_{false};
  Job job_;
  std::optional<int> caller_cpu_;
  unsigned n_pinned_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace bitnet
