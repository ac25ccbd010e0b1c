// The names that an option takes, kept with the option for completion scripts.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bitnet::cli {

// `names` as they stand in messages: "f16, f32". It checks nothing; whoever parses the value does.
void offer_choices(CLI::Option* option, const std::string& names);
std::vector<std::string> choices_of(const CLI::Option& option);

}  // namespace bitnet::cli
