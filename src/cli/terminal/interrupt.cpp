#include "cli/terminal/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "base/output_file.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
volatile std::sig_atomic_t g_terminated = 0;
volatile std::sig_atomic_t g_can_be_taken_back = 0;
void (*volatile g_say)() = nullptr;
struct sigaction g_sigpipe = {};  // as the process found it

void on_signal(int signal) {
  const bool is_harmless = signal == SIGINT && g_can_be_taken_back != 0;
  const bool is_second =
      signal != SIGINT && g_can_be_taken_back != 0 ? g_terminated != 0 : g_interrupted != 0;
  if (is_second && !is_harmless) {
    OutputFile::remove_all_temporaries();
    _exit(static_cast<int>(ExitCode::interrupted));
  }
  const bool is_first = g_interrupted == 0;
  g_interrupted = 1;
  if (signal != SIGINT) g_terminated = 1;
  if (is_first && g_say != nullptr) g_say();
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before = {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup ignores it
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &g_sigpipe);
  sigaction(SIGXFSZ, &action, nullptr);
}

void die_of_broken_pipe() {
  sigaction(SIGPIPE, &g_sigpipe, nullptr);
  std::raise(SIGPIPE);
}

bool interrupted() { return g_interrupted != 0; }

void on_interrupt(void (*say)()) { g_say = say; }

void let_interrupts_be_taken_back() { g_can_be_taken_back = 1; }

void take_back_interrupt() {
  g_interrupted = 0;
  if (g_terminated != 0) g_interrupted = 1;  // in this order a SIGTERM in between is not lost
}

bool terminated() { return g_terminated != 0; }

}  // namespace bitnet::cli
