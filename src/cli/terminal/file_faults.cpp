#include "cli/terminal/file_faults.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/mapping_list.h"
#include "base/output_file.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {
namespace {

// There is nobody to tell that it could not be written.
void say(const char* text) {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

// Does no more than a handler may.
void on_bus_error(int signal, siginfo_t* info, void*) {
  const char* const name = mapped_file_at(info->si_addr);
  if (name == nullptr) {  // not ours to explain: back at the same place it ends the process
    std::signal(signal, SIG_DFL);
    return;
  }
  // A progress bar or a text may stand in the line.
  if (::isatty(STDERR_FILENO) != 0) say("\n");
  say("error: ");
  say(name);
  say(": became shorter or could not be read while it was in use; leave it alone, replace files by renaming "
      "others, "
      "and run again\n");
  OutputFile::remove_all_temporaries();
  _exit(static_cast<int>(ExitCode::failed));
}

}  // namespace

void catch_file_faults() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace bitnet::cli
