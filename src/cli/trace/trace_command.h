// bitnet trace: the named intermediates of a forward pass.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command to `app`; the function runs it once the command line is parsed.
std::function<ExitCode()> add_trace_command(Command& app);

}  // namespace bitnet::cli
