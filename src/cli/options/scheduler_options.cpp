#include "cli/options/scheduler_options.h"

#include "bitnet/error.h"
#include "cli/options/number_option.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"

namespace bitnet::cli {

void add_scheduler_options(Command& command, SchedulerOptions& options) {
  Option* n = add_number(command, "--sequences", options.n_sequences, "Sequences that run at once, at most");
  n->type_name("N")->group("Machine");
  Option* tokens = add_number(command, "--kv-tokens", options.kv_tokens,
                              "Tokens that the KV cache holds, of all sequences together");
  tokens->type_name("N")->default_str("by --sequences")->group("Machine");
}

void check_scheduler_options(const ModelOptions& of_model) {
  if (!of_model.session.profile) return;
  throw UsageError("--profile is of one sequence's run, as `bitnet run` has it; leave it out");
}

Scheduler make_scheduler(const Model& model, SchedulerOptions options, const ModelOptions& of_model) {
  const SessionOptions& session = of_model.session;
  options.ctx_size = session.ctx_size;
  options.pass_tokens = session.prefill_chunk;
  options.n_threads = session.n_threads;
  options.pin_threads = session.pin_threads;
  options.kv_type = session.kv_type;
  options.activations = session.activations;
  options.backend = session.backend;
  Scheduler scheduler(model, options);
  warn_of_many_threads(scheduler.n_threads());
  log_debug(
      "backend {}, {} threads, activations {}, {} sequences of {} tokens, KV cache of {} tokens, {:.1f} MiB",
      scheduler.backend(), scheduler.n_threads(), name_of(scheduler.activations()), scheduler.n_sequences(),
      scheduler.ctx_size(), scheduler.kv_tokens(), to_mib(scheduler.kv_bytes()));
  return scheduler;
}

}  // namespace bitnet::cli
