#include "base/thread_pool.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <system_error>

#include "bitnet/error.h"

namespace bitnet {
namespace {

// Rounds of a pause instruction (about 40 ns) before a thread gives its core back: long enough to bridge the
// serial steps between two matrix products of one token, short enough to leave an idle machine idle.
constexpr int kSpinRounds = 2000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Returns once value differs from `old`.
void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpinRounds; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned n_threads) {
  workers_.reserve(n_threads > 0 ? n_threads - 1 : 0);
  try {
    for (unsigned i = 1; i < n_threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& e) {
    const std::size_t started = workers_.size() + 1;  // the caller is one
    stop_workers();
    throw RuntimeError("cannot start thread " + std::to_string(started + 1) + " of " +
                       std::to_string(n_threads) + " (" + e.what() + "); use fewer with --threads");
  }
}

ThreadPool::~ThreadPool() { stop_workers(); }

void ThreadPool::stop_workers() {
  stopping_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::parallel_for(std::size_t n, std::size_t grain, Body body) {
  if (n == 0) return;
  grain = std::max<std::size_t>(grain, 1);
  const std::size_t n_blocks = (n + grain - 1) / grain;
  if (workers_.empty() || n_blocks == 1) {
    body(0, n);
    return;
  }
  assert(n_blocks <= UINT32_MAX);
  job_ = {&body, n, grain, static_cast<std::uint32_t>(n_blocks)};
  pending_.store(job_.n_blocks, std::memory_order_relaxed);
  const std::uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  ticket_.store(static_cast<std::uint64_t>(epoch) << 32 | job_.n_blocks, std::memory_order_release);
  epoch_.store(epoch, std::memory_order_release);
  epoch_.notify_all();
  while (run_one_block()) {
  }
  for (;;) {
    const std::uint32_t left = pending_.load(std::memory_order_acquire);
    if (left == 0) return;
    wait_while_equal(pending_, left);
  }
}

bool ThreadPool::run_one_block() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (static_cast<std::uint32_t>(ticket) == 0) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel));
  const std::size_t block = job_.n_blocks - static_cast<std::uint32_t>(ticket);
  const std::size_t begin = block * job_.grain;
  (*job_.body)(begin, std::min(begin + job_.grain, job_.n));
  if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_all();
  return true;
}

void ThreadPool::work() {
  std::uint32_t seen = 0;
  for (;;) {
    wait_while_equal(epoch_, seen);
    seen = epoch_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    while (run_one_block()) {
    }
  }
}

}  // namespace bitnet
