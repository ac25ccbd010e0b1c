// What the process takes of the system, and whether that grew.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace bitnet::soak {

struct Usage {
  double seconds = 0;      // since the start of the watch
  std::uint64_t rss = 0;   // bytes in memory
  std::uint64_t own = 0;   // of them, those that no file is behind
  std::uint64_t heap = 0;  // bytes that were allocated and not given back; 0 where that isn't known
  std::uint64_t n_threads = 0;
  std::uint64_t n_descriptors = 0;
};

Usage usage_now(double seconds);

// Looks every second, in a thread of its own.
class Watch {
 public:
  // `on_line` is told now and then, for people.
  explicit Watch(std::function<void(const Usage&)> on_line, double seconds_between_lines = 30);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  double seconds() const;
  std::vector<Usage> seen() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The most of each in the first and in the last tenth of the time.
struct Tenths {
  Usage first;
  Usage last;
};
Tenths tenths_of(const std::vector<Usage>& seen);

// What grew from the first tenth to the last, for people; `at_rest` was seen while nothing was being done.
// Empty: nothing did.
std::vector<std::string> growth(const Tenths& at_work, const Tenths& at_rest);

}  // namespace bitnet::soak
