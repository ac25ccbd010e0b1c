// Characters from a terminal, and the signals that come while one is waited for.
#pragma once

#include <csignal>
#include <string>

namespace bitnet::cli {

// Catches SIGWINCH and SIGCONT while it lives; Ctrl-C and SIGTERM are interrupt.h's.
class TerminalInput {
 public:
  TerminalInput();
  TerminalInput(const TerminalInput&) = delete;
  TerminalInput& operator=(const TerminalInput&) = delete;
  ~TerminalInput();

  enum class Event { character, resized, continued, interrupted, end };
  // Waits for one of them. Bytes that are no UTF-8 come as U+FFFD.
  Event next(char32_t& c);

 private:
  bool take(char32_t& c);

  std::string unread_;
  struct sigaction before_winch_ = {};
  struct sigaction before_cont_ = {};
};

}  // namespace bitnet::cli
