// --prompt-cache: the file that keeps a prompt's keys and values.
#pragma once

#include <optional>
#include <string>

#include "bitnet/prompt_cache.h"
#include "cli/options/command.h"

namespace bitnet::cli {

// Adds --prompt-cache; nullopt: it wasn't given.
Option* add_prompt_cache(Command& command, std::optional<std::string>& path);

// The cache in that file, none without a name; what is wrong with it is warned of.
std::optional<PromptCache> make_prompt_cache(const std::optional<std::string>& path);

// What it did in the last run, for -v.
void log_prompt_cache(const std::optional<PromptCache>& cache);

}  // namespace bitnet::cli
