// What --help prints.
#pragma once

#include <string>

#include "cli/options/command.h"

namespace bitnet::cli {

// Of a command, or of the program itself. Two columns, at most 80 characters wide: names, and a description
// that ends with default and environment variable.
std::string help_text(const Command& program, const Command& command);

}  // namespace bitnet::cli
