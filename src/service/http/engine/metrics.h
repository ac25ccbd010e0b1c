// What /metrics tells: counts and times, in the text form of Prometheus.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bitnet/scheduler.h"

namespace bitnet::http {

// Where the engine stands after a pass.
struct EngineState {
  SchedulerCounts counts{};
  std::size_t n_running = 0;
  std::size_t n_waiting = 0;
  std::size_t n_sequences = 0;  // that can run at once
  std::size_t most_waiting = 0;
  std::size_t kv_tokens = 0;
  std::size_t kv_tokens_used = 0;
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void add(double value);
  // name_bucket{le="..."}, name_sum, name_count
  void write(std::string_view name, std::string_view help, std::string& text) const;

 private:
  std::span<const double> bounds_;
  std::array<std::uint64_t, 24> counts_{};  // of each bound, and of what is above the last
  double sum_ = 0;
};

// For any thread.
class Metrics {
 public:
  Metrics();

  void count_request(std::string_view route, int status);
  void add_first_token(double seconds);  // from the request's arrival
  void add_token(double seconds);        // from the token before it
  void add_request(double seconds);      // from its arrival to its end
  void count_gone() { add(n_gone_); }
  void count_refused() { add(n_refused_); }

  std::string text(const EngineState& engine, std::size_t n_connections) const;

 private:
  void add(std::uint64_t& count) {
    const std::lock_guard lock(mutex_);
    ++count;
  }

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t, std::less<>> requests_;
  Histogram first_token_;
  Histogram token_;
  Histogram request_;
  std::uint64_t n_gone_ = 0;     // answers whose client left before their end
  std::uint64_t n_refused_ = 0;  // requests for which there was no place
};

}  // namespace bitnet::http
