// bitnet bench: how fast models run on this machine.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_bench_command(Command& app);

}  // namespace bitnet::cli
