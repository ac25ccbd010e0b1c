// Scripts by which a shell completes the command line of this program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace bitnet::cli {

std::string bash_completions(const CLI::App& app);
std::string zsh_completions(const CLI::App& app);
std::string fish_completions(const CLI::App& app);

}  // namespace bitnet::cli
