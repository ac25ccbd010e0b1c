#include "machine_limits.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace bitnet::bench {
namespace {

// Shortest of several runs on all threads at once: limits are what the machine can do, not what it did on
// average.
double best_seconds(unsigned n_threads, const std::function<void(unsigned)>& work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < n_threads; ++i) threads.emplace_back(work, i);
    work(0);
    for (std::thread& t : threads) t.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

double read_bandwidth(std::span<const std::byte> array, unsigned n_threads) {
  const std::size_t part = array.size() / n_threads / 4096 * 4096;
  const double seconds =
      best_seconds(n_threads, [&](unsigned i) { read_all(array.subspan(i * part, part)); });
  return static_cast<double>(part * n_threads) / seconds;
}

double int8_peak(unsigned n_threads) {
  constexpr std::size_t kRounds = 5'000'000;
  std::vector<double> done(n_threads * 8);  // a cache line apart
  const double seconds = best_seconds(n_threads, [&](unsigned i) { done[i * 8] = int8_products(kRounds); });
  double total = 0;
  for (unsigned i = 0; i < n_threads; ++i) total += done[i * 8];
  return total / seconds;
}

}  // namespace bitnet::bench
