// Waiting for stdin and signals at the same time, without missing either.
#pragma once

#include <csignal>

namespace bitnet::cli {

// While it lives the signals that this program catches wait, but for wait_for_input(). A session's threads
// take none, so that one sent to the process finds the thread that waits.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();

  // Until stdin can be read (or is at its end): true. False when a signal came first.
  bool wait_for_input() const;

 private:
  sigset_t before_{};
};

}  // namespace bitnet::cli
