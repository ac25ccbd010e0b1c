#include "cli/terminal/held_signals.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

namespace bitnet::cli {

HeldSignals::HeldSignals() {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT}) sigaddset(&held, signal);
  pthread_sigmask(SIG_BLOCK, &held, &before_);
}

HeldSignals::~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool HeldSignals::wait_for_input() const {
  pollfd in{STDIN_FILENO, POLLIN, 0};
  if (::ppoll(&in, 1, nullptr, &before_) <= 0) return false;
  return ::poll(&in, 1, 0) > 0;  // a key that stops or interrupts takes back what was typed before it
}

void HeldSignals::wait_for_signal(std::chrono::milliseconds most) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
  const timespec time{seconds.count(), std::chrono::nanoseconds(most - seconds).count()};
  ::ppoll(nullptr, 0, &time, &before_);
}

}  // namespace bitnet::cli
