// Lines' numbers as people write them: "3, 17-20".
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/joined.h"
#include "service/batch/line_reader.h"

namespace bitnet::service {

class LineList {
 public:
  // In their order.
  void add(std::size_t first, std::size_t last) {
    n_ += last - first + 1;
    if (!ranges_.empty() && ranges_.back().last + 1 == first) {
      ranges_.back().last = last;
    } else if (ranges_.size() < kMostRanges) {
      ranges_.push_back({first, last});
    } else {
      n_more_ += last - first + 1;
    }
  }
  void add(std::size_t line) { add(line, line); }

  bool is_empty() const { return n_ == 0; }
  std::string text() const {
    const std::string text = joined(ranges_, [](const LineRange& range) {
      const std::string first = std::to_string(range.first);
      return range.first == range.last ? first : first + "-" + std::to_string(range.last);
    });
    return n_more_ == 0 ? text : text + " and " + std::to_string(n_more_) + " more";
  }

 private:
  static constexpr std::size_t kMostRanges = 10;  // what a message can bear

  std::vector<LineRange> ranges_;
  std::size_t n_ = 0;
  std::size_t n_more_ = 0;  // of lines behind the ranges
};

}  // namespace bitnet::service
