// Scripts by which a shell completes the command line of this program.
#pragma once

#include <string>

#include "cli/options/command.h"

namespace bitnet::cli {

std::string bash_completions(const Command& app);
std::string zsh_completions(const Command& app);
std::string fish_completions(const Command& app);

}  // namespace bitnet::cli
