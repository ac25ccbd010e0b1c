// What a user says, a message at a time.
#pragma once

#include <string>

namespace bitnet::cli {

// No message of a conversation needs more, and no context holds it.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 20;

class LineSource {
 public:
  LineSource() = default;
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  virtual ~LineSource() = default;

  enum class Event {
    line,         // a message; line breaks may stand in it
    interrupted,  // a signal came; see interrupt.h
    abandoned,    // the user gave up the line that was begun
    end,
  };
  virtual Event next(std::string& line) = 0;
};

}  // namespace bitnet::cli
