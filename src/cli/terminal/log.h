// stderr: everything that is not the result.
#pragma once

#include <string_view>

namespace bitnet::cli {

// The user wants no colour: NO_COLOR is set and not empty (https://no-color.org).
bool no_color();
// Before anything is logged: "LEVEL: text" lines, coloured on a terminal unless NO_COLOR is set.
void start_logging();
// quiet leaves errors only; verbose adds detail. Quiet wins.
void set_verbosity(bool quiet, bool verbose);

// What the user asked to be told, a line as it is, however quiet the rest. A terminal gets it in as many as
// it takes, broken between words.
void tell(std::string_view line);

}  // namespace bitnet::cli
