// `bitnet serve`: answers to many over HTTP.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

std::function<ExitCode()> add_serve_command(Command& app);

}  // namespace bitnet::cli
