// stderr: everything that is not the result.
#pragma once

namespace bitnet::cli {

// Before anything is logged: "LEVEL: text" lines, coloured on a terminal unless NO_COLOR is set.
void start_logging();
// quiet leaves errors only; verbose adds detail. Quiet wins.
void set_verbosity(bool quiet, bool verbose);

}  // namespace bitnet::cli
