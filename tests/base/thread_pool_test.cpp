#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

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

TEST(ThreadPool, ManyShortJobsInARowDoNotMixUp) {
  ThreadPool pool(3);
  std::vector<int> values(8, 0);
  for (int round = 1; round <= 20000; ++round) {
    pool.parallel_for(values.size(), 1, [&](std::size_t begin, std::size_t) { values[begin] += round; });
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

}  // namespace
}  // namespace bitnet
