#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <numeric>
#include <thread>
#include <vector>

#include "base/affinity.h"
#include "base/cpu_count.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

TEST(ThreadPool, EveryIndexIsVisitedExactlyOnce) {
  for (const unsigned threads : {1U, 2U, 3U, 5U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.n_threads(), threads);
    for (const std::size_t n :
         {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{1000}}) {
      for (const std::size_t grain :
           {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{5000}}) {
        std::vector<int> visits(n, 0);  // distinct elements: no two threads may touch the same one
        pool.parallel_for(n, grain, [&](std::size_t begin, std::size_t end) {
          for (std::size_t i = begin; i < end; ++i) ++visits[i];
        });
        EXPECT_EQ(std::accumulate(visits.begin(), visits.end(), std::size_t{0}), n);
        for (const int v : visits) EXPECT_EQ(v, 1);
      }
    }
  }
}

TEST(ThreadPool, EveryThreadHasAnIndexOfItsOwnAndTheCallerHasTheFirst) {
  constexpr unsigned kThreads = 3;
  ThreadPool pool(kThreads);
  std::array<std::atomic<std::thread::id>, kThreads> owner{};
  for (int round = 0; round < 200; ++round) {
    pool.parallel_for(60, 1, [&](std::size_t, std::size_t) {
      ASSERT_LT(ThreadPool::thread_index(), kThreads);
      std::thread::id nobody;
      const std::thread::id self = std::this_thread::get_id();
      auto& mine = owner[ThreadPool::thread_index()];
      EXPECT_TRUE(mine.compare_exchange_strong(nobody, self) || nobody == self);
      std::this_thread::yield();
    });
  }
  EXPECT_EQ(owner[0].load(), std::this_thread::get_id());
}

TEST(ThreadPool, ManyShortJobsInARowDoNotMixUp) {
  ThreadPool pool(3);
  std::vector<int> values(8, 0);
  for (int round = 1; round <= 20000; ++round) {
    pool.parallel_for(values.size(), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) values[i] += round;
    });
  }
  for (const int v : values) EXPECT_EQ(v, 20000 / 2 * 20001);
}

TEST(ThreadPool, WorkersThatFellAsleepWakeUpAgain) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than any spinning
    std::atomic<int> both{0};
    pool.parallel_for(2, 1, [&](std::size_t, std::size_t) {
      both.fetch_add(1);
      while (both.load() < 2) std::this_thread::yield();  // only two threads at once can get past
    });
    EXPECT_EQ(both.load(), 2);
  }
}

TEST(ThreadPool, RangesAreWholeBlocks) {
  ThreadPool pool(3);
  constexpr std::size_t kSize = 1000;
  constexpr std::size_t kGrain = 7;
  std::atomic<int> broken{0};
  pool.parallel_for(kSize, kGrain, [&](std::size_t begin, std::size_t end) {
    if (begin % kGrain != 0 || (end % kGrain != 0 && end != kSize)) ++broken;
  });
  EXPECT_EQ(broken.load(), 0);
}

// Which signals the calling thread does not take, by number.
std::vector<bool> held_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  EXPECT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
  std::vector<bool> held(NSIG, false);
  for (int signal = 1; signal < NSIG; ++signal) {
    held[static_cast<std::size_t>(signal)] = sigismember(&mask, signal) == 1;
  }
  return held;
}

TEST(ThreadPool, LeavesTheSignalsOfTheProcessToItsCaller) {
  const std::vector<bool> before = held_signals();
  ThreadPool pool(2);
  EXPECT_EQ(held_signals(), before);
  std::vector<std::vector<bool>> held(2);
  std::atomic<int> both{0};
  pool.parallel_for(2, 1, [&](std::size_t begin, std::size_t) {
    held[begin] = held_signals();
    both.fetch_add(1);
    while (both.load() < 2) std::this_thread::yield();
  });
  // One of them was the caller.
  if (held[0] == before) held[0].swap(held[1]);
  EXPECT_EQ(held[1], before);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT, SIGALRM, SIGUSR1, SIGCHLD, SIGRTMIN}) {
    EXPECT_TRUE(held[0][static_cast<std::size_t>(signal)]) << signal;
  }
  // What a thread does wrong itself is told to whoever handles it: a sanitizer, a crash reporter.
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    EXPECT_FALSE(held[0][static_cast<std::size_t>(signal)]) << signal;
  }
}

TEST(ThreadPool, LeavesTheSignalsAsTheyWereWhenThreadsCannotBeMade) {
  const std::vector<bool> before = held_signals();
  pthread_attr_t usual;
  ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
  pthread_attr_t impossible;
  pthread_attr_init(&impossible);
  pthread_attr_setstacksize(&impossible, std::size_t{1} << 50);
  ASSERT_EQ(pthread_setattr_default_np(&impossible), 0);
  EXPECT_THROW(ThreadPool(2), RuntimeError);
  ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
  EXPECT_EQ(held_signals(), before);
}

// The CPUs that the calling thread may run on.
std::vector<int> allowed_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  EXPECT_EQ(pthread_getaffinity_np(pthread_self(), sizeof mask, &mask), 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

TEST(PinnedThread, StaysOnItsCpuAndGetsItsOldOnesBack) {
  const std::vector<int> before = allowed_cpus();
  {
    const PinnedThread pinned(before.back());
    EXPECT_TRUE(pinned.pinned());
    EXPECT_EQ(allowed_cpus(), std::vector{before.back()});
  }
  EXPECT_EQ(allowed_cpus(), before);
}

TEST(PinnedThread, IsLeftAloneWhereItMayNotRun) {
  const std::vector<int> before = allowed_cpus();
  for (const int cpu : {-1, CPU_SETSIZE - 1, CPU_SETSIZE, 1 << 30}) {
    if (std::ranges::find(before, cpu) != before.end()) continue;
    const PinnedThread pinned(cpu);
    EXPECT_FALSE(pinned.pinned()) << cpu;
    EXPECT_EQ(allowed_cpus(), before);
  }
}

TEST(ThreadPool, PinnedThreadsRunWhereTheyWereTold) {
  const std::vector<int> cpus = usable_cpus();
  ASSERT_FALSE(cpus.empty());
  const std::vector<int> same(2, cpus.front());
  ThreadPool pool(2, same);
  EXPECT_EQ(pool.n_pinned(), 2U);
  const PinnedThread caller = pool.pin_caller();
  std::atomic<int> elsewhere{0};
  pool.parallel_for(64, 1, [&](std::size_t, std::size_t) {
    if (allowed_cpus() != std::vector{cpus.front()}) ++elsewhere;
  });
  EXPECT_EQ(elsewhere.load(), 0);
}

TEST(UsableCpus, AreThoseOfTheAffinityMask) {
  std::vector<int> cpus = usable_cpus();
  std::ranges::sort(cpus);
  EXPECT_EQ(cpus, allowed_cpus());
  EXPECT_LE(usable_cores(), std::max<std::size_t>(cpus.size(), 1));
}

}  // namespace
}  // namespace bitnet
