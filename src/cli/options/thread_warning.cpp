#include "cli/options/thread_warning.h"

#include "base/cpu_count.h"
#include "cli/terminal/log.h"
#include "engine/session_choices.h"

namespace bitnet::cli {

void warn_of_many_threads(unsigned n_threads) {
  const auto n_cpus = usable_cpus().size();
  if (n_cpus == 0 || n_threads <= n_cpus) return;
  log_warn("--threads {} is more than the {} CPUs here: threads wait for each other, fewer are faster",
           n_threads, n_cpus);
}

unsigned threads_for_files(unsigned asked) {
  const unsigned n_cores = usable_cores();
  const unsigned chosen = choose_threads(asked);
  if (chosen <= n_cores) return chosen;
  log_warn("--threads {} is more than the {} cores here: {} are used", chosen, n_cores, n_cores);
  return n_cores;
}

}  // namespace bitnet::cli
