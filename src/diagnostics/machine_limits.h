// What this machine can do at best, measured now: the yardsticks that speed is held against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace bitnet {

// An array that threads read to tell the memory's speed, every page of it touched: untouched ones are all the
// same page of zeros, and pages that come in while the clock runs are no reading.
class ReadArray {
 public:
  // At most kMaxBytes, far beyond the caches; touched by the pool's threads. Throws RuntimeError when the
  // memory cannot be had.
  ReadArray(std::uint64_t wanted_bytes, ThreadPool& pool);

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(memory_.data()), memory_.size()};
  }

  static constexpr std::size_t kMaxBytes = std::size_t{512} << 20;

 private:
  AnonymousMemory memory_;
};

struct MachineSpeed {
  double read_bytes_per_second = 0;
  // 8-bit multiply-adds with the backend's own instructions, everything in registers; 0: it has none
  double int8_macs_per_second = 0;
};

// Measures what the machine gives as many threads, again and again: where it is shared, that is not now what
// it was a minute ago.
class MachineProbe {
 public:
  // The array must outlive the probe: one as large as what the threads read otherwise tells the speed of the
  // cache that this would be in. Throws RuntimeError when the threads cannot be made, UsageError for an
  // unknown backend.
  MachineProbe(const ReadArray& array, std::string_view backend, unsigned n_threads);

  // Short loops, some ten milliseconds together. Returns their speed while the threads run, whoever else
  // wants the processors: by the processors' time, not the clock's. Of reading, which others slow down, all
  // loops together; of multiplying, which tells the processors' clock, the fastest.
  MachineSpeed sample();

  // The fastest loops so far: what the machine can do.
  const MachineSpeed& best() const { return best_; }

 private:
  struct Loops {
    double best_by_clock = 0;
    // The clock is right where nobody disturbs; where others want the processors too, only their time is.
    double best = 0;
    double typical = 0;  // likewise
  };
  template <typename Loop>
  Loops run(Loop loop) const;
  double read_some();

  std::span<const std::byte> array_;
  const kernels::Kernels& backend_;
  ThreadPool pool_;
  unsigned n_running_;    // threads that can run at once
  std::size_t next_ = 0;  // byte that is read next
  MachineSpeed best_;
};

// How fast the threads of a pool read a model's memory, in turns with their other work: what slows that down
// while they read slows this down too, and within milliseconds of it.
class ReadPace {
 public:
  // Both must outlive the object. Of less than a page nothing is read.
  ReadPace(std::span<const std::byte> memory, ThreadPool& pool);

  // Goes on reading where it stopped, for as long as the threads together run for so many seconds.
  void read_for(double processor_seconds);
  // Bytes per second while the threads ran, whoever else wanted the processors, since the last call; 0:
  // nothing was read, or the system has no clocks for that.
  double take();

 private:
  std::span<const std::byte> memory_;
  ThreadPool& pool_;
  unsigned n_running_;    // threads that can run at once
  std::size_t next_ = 0;  // byte that is read next
  double n_bytes_ = 0;
  double running_ = 0;  // seconds of all threads
};

// Of an array that is there already, by the clock, the best of several. Throws RuntimeError when the threads
// cannot be made.
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
// The second of the two alone, by the clock.
double int8_peak(std::string_view backend, unsigned n_threads);

}  // namespace bitnet
