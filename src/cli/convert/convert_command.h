// bitnet convert: a model in other types, repaired, joined or split, and proved to be the same.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

std::function<ExitCode()> add_convert_command(Command& app);

}  // namespace bitnet::cli
