#include "cli/chat/terminal_input.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/terminal/held_signals.h"
#include "cli/terminal/interrupt.h"
#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

volatile std::sig_atomic_t g_resized = 0;
volatile std::sig_atomic_t g_continued = 0;

void on_terminal_signal(int signal) { (signal == SIGWINCH ? g_resized : g_continued) = 1; }

bool take_flag(volatile std::sig_atomic_t& flag) {
  const bool was_set = flag != 0;
  flag = 0;
  return was_set;
}

}  // namespace

TerminalInput::TerminalInput() {
  struct sigaction action = {};
  action.sa_handler = on_terminal_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGWINCH, &action, &before_winch_);
  sigaction(SIGCONT, &action, &before_cont_);
}

TerminalInput::~TerminalInput() {
  sigaction(SIGWINCH, &before_winch_, nullptr);
  sigaction(SIGCONT, &before_cont_, nullptr);
}

bool TerminalInput::take(char32_t& c) {
  if (unread_.empty()) return false;
  const Utf8Unit unit = decode_utf8(unread_);
  if (unit.kind == Utf8Unit::Kind::unfinished) return false;
  c = unit.kind == Utf8Unit::Kind::character ? unit.code_point : char32_t{0xFFFD};
  unread_.erase(0, unit.length);
  return true;
}

TerminalInput::Event TerminalInput::next(char32_t& c) {
  if (take(c)) return Event::character;
  const HeldSignals held;
  for (;;) {
    if (interrupted()) {
      unread_.clear();
      return Event::interrupted;
    }
    if (take_flag(g_continued)) return Event::continued;
    if (take_flag(g_resized)) return Event::resized;
    if (!held.wait_for_input()) continue;
    std::array<char, 4096> block;
    const ssize_t n = ::read(STDIN_FILENO, block.data(), block.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return Event::end;
    unread_.append(block.data(), static_cast<std::size_t>(n));
    if (take(c)) return Event::character;
  }
}

}  // namespace bitnet::cli
