// bitnet compare: two traces, or a trace and a model, held against each other.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command to `app`; the function runs it once the command line is parsed.
std::function<ExitCode()> add_compare_command(Command& app);

}  // namespace bitnet::cli
