// The manual page, bitnet(1).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace bitnet::cli {

// In the macros of man(7).
std::string man_page(const CLI::App& app);

}  // namespace bitnet::cli
