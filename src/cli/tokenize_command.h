// bitnet tokenize and bitnet detokenize: text to token ids and back.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Each adds its command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_tokenize_command(CLI::App& app);
std::function<ExitCode()> add_detokenize_command(CLI::App& app);

}  // namespace bitnet::cli
