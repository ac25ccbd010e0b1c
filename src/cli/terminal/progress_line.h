// One line on the terminal that says what is being waited for.
#pragma once

#include <cstddef>
#include <string>

namespace bitnet::cli {

// Redraws itself on stderr, and leaves nothing behind. Shows nothing where stderr is not a terminal, NO_COLOR
// is set, or `quiet` says so. What does not fit the terminal's width is cut.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  bool enabled() const { return enabled_; }
  void show(const std::string& text);
  void clear();

  // Characters that fit on one line of the terminal, now; it may be resized.
  static std::size_t width();

 private:
  bool enabled_;
};

// Takes the line off that is shown, if one is. Everything that prints calls this first: messages and results.
void erase_progress_line();

}  // namespace bitnet::cli
