// bitnet verify --receipt: what a receipt tells of, run again and held against it.
#pragma once

#include <string>

#include "cli/options/model_options.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Runs the receipt in `path` again: the model that it names, or options.model if that is not empty, with the
// threads of `options`. Prints one line if everything is the same, a line of error for the first thing that
// is not. Throws ModelError for a file that is no receipt.
ExitCode replay_receipt(const std::string& path, ModelOptions options);

}  // namespace bitnet::cli
