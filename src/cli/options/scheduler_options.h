// Options of commands that run many sequences together.
#pragma once

#include "bitnet/scheduler.h"
#include "cli/options/command.h"
#include "cli/options/model_options.h"

namespace bitnet::cli {

// Adds --sequences and --kv-tokens; `options` must stay where it is until the command line is parsed.
void add_scheduler_options(Command& command, SchedulerOptions& options);

// Throws UsageError for options of the model that a scheduler has no use for.
void check_scheduler_options(const ModelOptions& of_model);

// Makes the scheduler and says, when verbose, with what.
Scheduler make_scheduler(const Model& model, SchedulerOptions options, const ModelOptions& of_model);

}  // namespace bitnet::cli
