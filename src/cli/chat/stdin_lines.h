// Lines from a stdin that is no terminal.
#pragma once

#include "cli/chat/line_source.h"

namespace bitnet::cli {

class StdinLines : public LineSource {
 public:
  // Without the line break. The last line needs none. Throws ModelError when stdin cannot be read or a line
  // is larger than kMaxMessageBytes.
  Event next(std::string& line) override;

 private:
  std::string unread_;
  std::size_t n_lines_ = 0;
  bool at_end_ = false;
};

}  // namespace bitnet::cli
