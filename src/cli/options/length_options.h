// Options that say where a text ends.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/options/command.h"

namespace bitnet::cli {

// Adds --max-tokens (-1: no limit), --stop and --ignore-eos, and returns them in this order; the variables
// must stay where they are until the command line is parsed.
std::array<Option*, 3> add_length_options(Command& command, std::int64_t& max_tokens,
                                          std::vector<std::string>& stop, bool& ignore_eos);

}  // namespace bitnet::cli
