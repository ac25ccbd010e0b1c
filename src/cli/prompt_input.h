// Where a prompt comes from.
#pragma once

#include <string>

namespace bitnet::cli {

// The whole of a file, or of stdin for "-", less one final line break (editors and echo put it there).
// Throws ModelError when it cannot be read or is larger than any context could hold (64 MiB).
std::string read_prompt_file(const std::string& path);

}  // namespace bitnet::cli
