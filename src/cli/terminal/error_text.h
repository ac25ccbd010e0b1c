// What the library says about its options, in the words of the command line.
#pragma once

#include <string>

#include "bitnet/error.h"

namespace bitnet::cli {

// The message, with the option's name on the command line where the library has its own: --ctx-size for
// ctx_size.
std::string error_text(const Error& error);

}  // namespace bitnet::cli
