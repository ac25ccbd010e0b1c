#include "base/thread_pool.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "base/memory_room.h"
#include "base/no_signals.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// How long a thread with nothing to do keeps its core. Waking a thread that sleeps costs the one that wakes
// it some 10 us and comes as much later, more in a virtual machine; so this bridges what happens between two
// loops of a forward pass and between two tokens, and still leaves an idle machine idle.
constexpr std::chrono::microseconds kSpinTime{200};
// A claim takes all but a quarter of a stretch's blocks: bodies that stream memory get long ranges first and
// short ones last, for threads to end together. Claims of a block each cost a tenth of the speed of decoding.
constexpr std::uint32_t kLeftUnclaimed = 4;

thread_local unsigned index_in_pool = 0;  // of threads that a pool made; others call

// The calling thread is the first while it lives.
class CallerIndex {
 public:
  CallerIndex() : before_(std::exchange(index_in_pool, 0U)) {}
  ~CallerIndex() { index_in_pool = before_; }
  CallerIndex(const CallerIndex&) = delete;
  CallerIndex& operator=(const CallerIndex&) = delete;

 private:
  unsigned before_;
};

constexpr int kPausesPerLook = 16;  // at the clock: a pause takes 10 to 40 ns, and so does the clock

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  // YIELD is over at once on most processors; this waits until the pipeline is empty, about as long as x86's.
  __asm__ volatile("isb" ::: "memory");
#else
  std::this_thread::yield();
#endif
}

// That a new thread asks for.
std::size_t stack_bytes() {
  pthread_attr_t attributes;
  std::size_t bytes = 0;
  if (pthread_attr_init(&attributes) != 0) return 0;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes;
}

// Throws nothing: threads that were started have to be stopped.
MemoryRoom room_while_threads_run() noexcept {
  try {
    return address_space_room();
  } catch (const std::bad_alloc&) {
    return {};
  }
}

// Returns once value differs from `old`.
void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  if (value.load(std::memory_order_acquire) != old) return;
  const Clock::time_point end = Clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      pause();
      if (value.load(std::memory_order_acquire) != old) return;
    }
  } while (Clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned n_threads, std::span<const int> cpus) : stretches_(std::max(n_threads, 1U)) {
  workers_.reserve(stretches_.size() - 1);
  try {
    const NoSignals inherited;
    for (std::size_t i = 1; i < stretches_.size(); ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& e) {
    const std::size_t started = workers_.size() + 1;  // the caller is one
    const MemoryRoom room = room_while_threads_run();
    stop_workers();
    const std::string thread = "thread " + std::to_string(started + 1) + " of " + std::to_string(n_threads);
    require_room(room, stack_bytes(),
                 {("the stack of " + thread).c_str(), "use fewer threads, or allow this process more"});
    throw RuntimeError("cannot start " + thread + " (" + e.what() + "); use fewer threads");
  } catch (...) {
    stop_workers();
    throw;
  }
  if (!cpus.empty()) pin_to(cpus);
}

ThreadPool::~ThreadPool() { stop_workers(); }

void ThreadPool::pin_to(std::span<const int> cpus) {
  assert(cpus.size() >= n_threads());
  caller_cpu_ = cpus[0];
  if (pin_caller().pinned()) ++n_pinned_;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (pin_thread(workers_[i].native_handle(), cpus[i + 1])) ++n_pinned_;
  }
}

void ThreadPool::stop_workers() {
  stopping_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

double ThreadPool::processor_seconds() const {
  double total = 0;
  const auto add = [&total](clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) == 0) {
      total += static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    }
  };
#ifdef __APPLE__
  add(CLOCK_PROCESS_CPUTIME_ID);  // other threads' clocks cannot be had
#else
  add(CLOCK_THREAD_CPUTIME_ID);
  for (const std::thread& worker : workers_) {
    clockid_t clock{};
    if (pthread_getcpuclockid(const_cast<std::thread&>(worker).native_handle(), &clock) == 0) add(clock);
  }
#endif
  return total;
}

void ThreadPool::parallel_for(std::size_t n, std::size_t grain, Body body) {
  if (n == 0) return;
  // Whatever it may be to another pool.
  const CallerIndex index;
  grain = std::max<std::size_t>(grain, 1);
  const std::size_t n_blocks = (n + grain - 1) / grain;
  if (workers_.empty() || n_blocks == 1) {
    body(0, n);
    return;
  }
  assert(n_blocks <= UINT32_MAX);
  job_ = {&body, n, grain};
  pending_.store(static_cast<std::uint32_t>(n_blocks), std::memory_order_relaxed);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < stretches_.size(); ++i) {
    // Rounded up: where there are fewer blocks than threads the caller has one.
    const std::size_t end = (n_blocks * (i + 1) + stretches_.size() - 1) / stretches_.size();
    if (end == begin) continue;
    stretches_[i].end = static_cast<std::uint32_t>(end);
    stretches_[i].left.store(static_cast<std::uint32_t>(end - begin), std::memory_order_release);
    begin = end;
  }
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  run_blocks(0);
  while (const std::uint32_t left = pending_.load(std::memory_order_acquire)) {
    wait_while_equal(pending_, left);
  }
}

// All that can be claimed, the thread's own blocks first; gives how many it ran.
std::uint32_t ThreadPool::run_blocks(std::size_t self) {
  std::uint32_t n_done = 0;
  for (std::size_t i = 0; i < stretches_.size(); ++i) {
    const std::size_t at = self + i < stretches_.size() ? self + i : self + i - stretches_.size();
    n_done += run_blocks_of(stretches_[at]);
  }
  if (n_done > 0 && pending_.fetch_sub(n_done, std::memory_order_acq_rel) == n_done) pending_.notify_all();
  return n_done;
}

std::uint32_t ThreadPool::run_blocks_of(Stretch& stretch) {
  std::uint32_t n_done = 0;
  std::uint32_t left = stretch.left.load(std::memory_order_acquire);
  while (left != 0) {
    const std::uint32_t n = left - left / kLeftUnclaimed;
    if (!stretch.left.compare_exchange_weak(left, left - n, std::memory_order_acq_rel,
                                            std::memory_order_acquire)) {
      continue;
    }
    const std::size_t begin = (stretch.end - left) * job_.grain;
    (*job_.body)(begin, std::min(begin + n * job_.grain, job_.n));
    n_done += n;
    left = stretch.left.load(std::memory_order_acquire);
  }
  return n_done;
}

unsigned ThreadPool::thread_index() { return index_in_pool; }

void ThreadPool::work(std::size_t self) {
  index_in_pool = static_cast<unsigned>(self);
  std::uint32_t seen = 0;
  for (;;) {
    wait_while_equal(epoch_, seen);
    seen = epoch_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    run_blocks(self);
  }
}

}  // namespace bitnet
