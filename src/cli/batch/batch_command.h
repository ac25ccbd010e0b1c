// bitnet batch: a file of requests to a file of answers.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

std::function<ExitCode()> add_batch_command(Command& app);

}  // namespace bitnet::cli
