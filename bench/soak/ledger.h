// What was compared, and what was not as it should be.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace bitnet::soak {

// For any number of threads.
class Ledger {
 public:
  void count() { ++n_compared_; }
  void count_failure() { ++n_failed_; }
  void tell(std::string what) {
    const std::lock_guard lock(mutex_);
    if (failures_.size() < kKept) failures_.push_back(std::move(what));
  }

  std::uint64_t n_compared() const { return n_compared_; }
  std::uint64_t n_failed() const { return n_failed_; }
  // The first that were told.
  std::vector<std::string> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  static constexpr std::size_t kKept = 20;

  std::atomic<std::uint64_t> n_compared_ = 0;
  std::atomic<std::uint64_t> n_failed_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> failures_;
};

}  // namespace bitnet::soak
