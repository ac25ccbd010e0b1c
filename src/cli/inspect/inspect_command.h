// bitnet inspect: what is in a model file, and whether it is healthy.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_inspect_command(Command& app);

}  // namespace bitnet::cli
