// What this machine can do at best, measured now: the yardsticks that speed is held against.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.h"

namespace bitnet {

// "AMD EPYC 7763 64-Core Processor"; the architecture's name where the system doesn't say.
std::string cpu_name();

// Measures again and again how fast threads read one large array: on a machine that is shared, the memory's
// speed now is not what it was a minute ago.
class ReadProbe {
 public:
  // The array must outlive the probe. Throws RuntimeError when the threads cannot be made.
  ReadProbe(std::span<const std::byte> array, unsigned n_threads) : array_(array), pool_(n_threads) {}

  // Reads it once; bytes per second.
  double sample();

 private:
  std::span<const std::byte> array_;
  ThreadPool pool_;
};

// The best of several samples. Throws RuntimeError when the threads cannot be made.
double read_bandwidth(std::span<const std::byte> array, unsigned n_threads);

struct MachineLimits {
  std::string backend;
  unsigned n_threads = 0;
  double read_bytes_per_second = 0;  // out of memory, far beyond the caches
  // 8-bit multiply-adds with the backend's own instructions, everything in registers; 0: it has none
  double int8_macs_per_second = 0;
};

// Takes about half a second and, for so long, 512 MiB. Throws RuntimeError when threads or memory cannot be
// had, UsageError for an unknown backend.
MachineLimits measure_machine_limits(std::string_view backend, unsigned n_threads);
// The second of the two alone.
double int8_peak(std::string_view backend, unsigned n_threads);

}  // namespace bitnet
