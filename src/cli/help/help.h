// What --help prints.
#pragma once

#include <string>

#include "cli/options/command.h"

namespace bitnet::cli {

// For `command`, which is one of `program` or the program itself: the everyday options, or `all`, in groups.
// As wide as the terminal, or COLUMNS, or 80 columns.
std::string help_text(const Command& program, const Command& command, bool all = false);

}  // namespace bitnet::cli
