// Where a prompt comes from.
#pragma once

#include <string>

namespace bitnet::cli {

// Every byte of a file, or of stdin for "-". `what` it is, for messages: "the prompt". Throws ModelError when
// it cannot be read or is larger than 64 MiB.
std::string read_input(const std::string& path, const std::string& what);

// The same less one final line break (editors and echo put it there).
std::string read_prompt_file(const std::string& path);

}  // namespace bitnet::cli
