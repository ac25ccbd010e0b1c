// bitnet help, bitnet version: what --help and --version print, for those who look for a command.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

std::function<ExitCode()> add_help_command(Command& app);
std::function<ExitCode()> add_version_command(Command& app);

void print_version();

}  // namespace bitnet::cli
