// From the words of a command line to the variables of the options.
#pragma once

#include <span>

#include "cli/options/command.h"

namespace bitnet::cli {

struct ParsedLine {
  const Command* command = nullptr;  // that was named; of which the help was asked for; null: none
  bool help = false;
  bool help_all = false;
  bool version = false;
};

// Gives every option of the command its values, from the line or, where it names none, from the environment;
// none if help or version were asked for. Throws UsageError for what the command does not take, with the way
// to its help, and what the options throw.
ParsedLine parse_line(const Command& program, std::span<const char* const> words);

}  // namespace bitnet::cli
