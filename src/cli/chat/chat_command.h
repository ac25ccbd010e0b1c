// bitnet chat: a conversation.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Adds the command; the function to call once the command line is parsed and this command was chosen.
std::function<ExitCode()> add_chat_command(CLI::App& app);

}  // namespace bitnet::cli
