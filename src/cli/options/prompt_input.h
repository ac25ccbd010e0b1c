// Where a prompt comes from.
#pragma once

#include <optional>
#include <string>

#include "cli/options/command.h"

namespace bitnet::cli {

// Adds -p,--prompt, which may also stand there without its name. A word alone that is a file's name is
// refused: what was meant is not what would be done.
Option* add_prompt(Command& command, std::optional<std::string>& prompt, const std::string& description);

// Every byte of a file, or of stdin for "-". `what` it is, for messages: "the prompt". Throws ModelError when
// it cannot be read, UsageError when it is larger than 64 MiB.
std::string read_input(const std::string& path, const std::string& what);

// A prompt, less one final line break and the byte order mark of UTF-8 (editors put them there). Warns of
// bytes that are no text; UTF-16 and UTF-32 are refused: no vocabulary has tokens for them.
std::string read_prompt_file(const std::string& path);

}  // namespace bitnet::cli
