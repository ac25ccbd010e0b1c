// How far a long piece of work has come, and how long it will still take.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cli/terminal/progress_line.h"

namespace bitnet::cli {

// Shown where a ProgressLine is. Redraws itself a few times a second at most, so update may be called often.
// Elsewhere a message tells every few seconds.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  // What else there is away from a terminal: work that is known to be long also tells of each quarter done.
  enum class InPipe { every_few_seconds, quarters };
  // Nothing is drawn before `delay` has passed: what is over sooner needs no bar.
  ProgressBar(bool quiet, std::string label, Clock::duration delay = Clock::duration::zero(),
              InPipe in_pipe = InPipe::every_few_seconds);

  bool enabled() const { return line_.enabled(); }
  void update(double fraction, std::string_view note = {});
  void clear() { line_.clear(); }

 private:
  void report(double fraction, std::string_view note, Clock::time_point now);

  ProgressLine line_;
  std::string label_;
  InPipe in_pipe_;
  Clock::time_point start_;
  Clock::time_point next_draw_;
  Clock::time_point next_report_;
  int quarter_ = 0;  // last told of
};

}  // namespace bitnet::cli
