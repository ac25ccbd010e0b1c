// The manual page, bitnet(1).
#pragma once

#include <string>

#include "cli/options/command.h"

namespace bitnet::cli {

// In the macros of man(7).
std::string man_page(const Command& app);

}  // namespace bitnet::cli
