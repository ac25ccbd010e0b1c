// bitnet synth: a model of random weights in a file.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

std::function<ExitCode()> add_synth_command(Command& app);

}  // namespace bitnet::cli
