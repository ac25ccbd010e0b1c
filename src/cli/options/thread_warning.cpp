#include "cli/options/thread_warning.h"

#include "base/cpu_count.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {

void warn_of_many_threads(unsigned n_threads) {
  const auto n_cpus = usable_cpus().size();
  if (n_cpus == 0 || n_threads <= n_cpus) return;
  log_warn("--threads {} is more than the {} CPUs here: threads wait for each other, fewer are faster",
           n_threads, n_cpus);
}

}  // namespace bitnet::cli
