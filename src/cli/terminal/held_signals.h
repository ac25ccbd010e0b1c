// Waiting for stdin and signals at the same time, without missing either.
#pragma once

#include <chrono>
#include <csignal>

namespace bitnet::cli {

// While it lives the signals that this program catches wait, but for these functions. A session's threads
// take none, so that one sent to the process finds the thread that waits.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();

  // Until stdin can be read (or is at its end): true. False when a signal came first.
  bool wait_for_input() const;
  // Until a signal came, or the time is over.
  void wait_for_signal(std::chrono::milliseconds most) const;

 private:
  sigset_t before_{};
};

}  // namespace bitnet::cli
