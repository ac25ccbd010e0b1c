// bitnet verify: whether this build computes right on this CPU.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_verify_command(Command& app);

}  // namespace bitnet::cli
