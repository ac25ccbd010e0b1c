// One line on the terminal that says what is being waited for.
#pragma once

#include <cstddef>
#include <string>

namespace bitnet::cli {

// Redraws itself on stderr, and leaves nothing behind. Shows nothing where stderr is no terminal or one that
// can't erase, or where `quiet` says so. What does not fit the terminal's width is cut. While there is one,
// even if it shows nothing yet, Ctrl-C is answered at once: it then says that the work is being stopped.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();

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
