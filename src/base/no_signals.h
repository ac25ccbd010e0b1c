// Threads that leave signals to others.
#pragma once

#include <pthread.h>

#include <csignal>

namespace bitnet {

// Threads that are started while it lives take no signals: one sent to the process then finds a thread that
// waits for it, or whose system call it is to end. Not held off are those for what a thread itself does, for
// they would end the process without its handlers, and a profiler's ticks.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGPROF}) sigdelset(&all, own);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace bitnet
