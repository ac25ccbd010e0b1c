// How far a long piece of work has come, and how long it will still take.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "cli/terminal/progress_line.h"

namespace bitnet::cli {

// What the bar shows; `fraction` is from 0 to 1. The note, and then the bar itself, are left out where
// `width` has no room for them.
struct Progress {
  std::string_view label;
  double fraction = 0;
  double seconds = 0;     // since the beginning
  std::string_view note;  // what else there is to say
};
std::string format_progress(const Progress& progress, std::size_t width);

// Shown where a ProgressLine is. Redraws itself a few times a second at most, so update may be called often.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  // Nothing is drawn before `delay` has passed: what is over sooner needs no bar.
  ProgressBar(bool quiet, std::string label, Clock::duration delay = Clock::duration::zero());

  bool enabled() const { return line_.enabled(); }
  void update(double fraction, std::string_view note = {});
  void clear() { line_.clear(); }

 private:
  ProgressLine line_;
  std::string label_;
  Clock::time_point start_;
  Clock::time_point next_draw_;
};

}  // namespace bitnet::cli
