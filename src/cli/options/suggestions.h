// What was meant by a word that there is not: a misspelling, or another program's name for it.
#pragma once

#include <string>
#include <string_view>

#include "cli/options/command.h"

namespace bitnet::cli {

bool is_other_programs_option(std::string_view word);

// Advice for messages, "did you mean --prompt?" or the like; empty if there is none to give.
std::string advice_for_command(std::string_view word, const Command& program);
// `word` as it was given: with "=VALUE", or letters glued to it.
std::string advice_for_option(std::string_view word, const Command& program, const Command& command);

}  // namespace bitnet::cli
