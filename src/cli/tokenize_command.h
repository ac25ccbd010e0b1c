// bitnet tokenize and bitnet detokenize: text to token ids and back.
#pragma once

#include <functional>

#include "cli/options/command.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Each adds its command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_tokenize_command(Command& app);
std::function<ExitCode()> add_detokenize_command(Command& app);

}  // namespace bitnet::cli
