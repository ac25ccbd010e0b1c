// Options of commands that run many sequences together.
#pragma once

#include "bitnet/scheduler.h"
#include "cli/options/command.h"
#include "cli/options/model_options.h"

namespace bitnet::cli {

// Adds --sequences and --kv-tokens; `options` must stay where it is until the command line is parsed.
void add_scheduler_options(Command& command, SchedulerOptions& options);

// Makes the scheduler and says, when verbose, with what. Throws UsageError for options of the model that it
// has no use for.
Scheduler make_scheduler(const Model& model, SchedulerOptions options, const ModelOptions& of_model);

}  // namespace bitnet::cli
