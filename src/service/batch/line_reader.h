// The lines of a file or pipe, one after another, without waiting for a pipe unless that is wanted.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/descriptor.h"

namespace bitnet::service {

// Which lines are wanted, counted from 1, both ends included.
struct LineRange {
  std::size_t first = 1;
  std::size_t last = static_cast<std::size_t>(-1);
};

// Part `index` (from 1) of `n_parts` of so many lines: parts follow one another and differ by one line at
// most. Nothing of fewer lines than parts may be in one of them: first is then behind last.
LineRange shard_of(std::size_t n_lines, std::size_t index, std::size_t n_parts);

struct Line {
  std::size_t number = 0;
  std::string text;          // without its end
  bool is_too_long = false;  // there is more than kMostBytes of it; the text is then its beginning
};

class LineReader {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;

  // "-" is stdin. Throws ModelError for a file that cannot be read.
  explicit LineReader(const std::string& path);

  enum class State { line, none_yet, end };
  // The next line of the range that holds more than white space. Without `wait` it returns none_yet rather
  // than wait for a pipe; with it, when keep_going says no. Throws RuntimeError when reading fails.
  State next(Line& line, const LineRange& range, bool wait, const std::function<bool()>& keep_going);

 private:
  bool take_line(Line& line);
  State fill(bool wait, const std::function<bool()>& keep_going);

  std::string path_;
  Descriptor file_;
  int fd_ = -1;
  std::string buffer_;
  std::size_t begin_ = 0;     // of what is not taken yet
  std::size_t searched_ = 0;  // up to here there is no line's end
  bool is_long_ = false;      // what is left of a line that is too long is passed over
  bool at_end_ = false;
  std::size_t number_ = 0;
};

// How many lines a file has, a last one without its end included. Throws ModelError for what is no regular
// file: its lines can be counted only by reading it.
std::size_t count_lines(const std::string& path);

}  // namespace bitnet::service
