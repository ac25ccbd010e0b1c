// What the process says when it ends; the same for every command.
#pragma once

namespace bitnet::cli {

enum class ExitCode : int {
  done = 0,
  failed = 1,         // while running
  usage = 2,          // the command line is wrong
  refused = 3,        // the model or an input file is
  check_failed = 4,   // a check did not hold
  interrupted = 130,  // by a signal
};

}  // namespace bitnet::cli
