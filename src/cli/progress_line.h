// One line on the terminal that says what is being waited for.
#pragma once

#include <string>

namespace bitnet::cli {

// Redraws itself on stderr, and leaves nothing behind. Shows nothing where stderr is not a terminal, NO_COLOR
// is set, or `quiet` says so.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  void show(const std::string& text);
  void clear();  // before something else is written

 private:
  bool enabled_;
  bool shown_ = false;
};

}  // namespace bitnet::cli
