// bitnet completions: what a shell needs to complete this program's command lines, and the manual page.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command; the function to call once the command line is parsed and this command was chosen. The
// scripts are of the app's commands, whenever they were added.
std::function<ExitCode()> add_completions_command(Command& app);

}  // namespace bitnet::cli
