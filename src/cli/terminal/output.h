// stdout: results and nothing else, every byte accounted for.
#pragma once

#include <string_view>

#include "bitnet/error.h"

namespace bitnet::cli {

// Nobody reads stdout any more, as in `bitnet ... | head`. Reaches main with everything cleaned up on its
// way; there it is no error, but the end that SIGPIPE means.
class BrokenPipe : public RuntimeError {
 public:
  using RuntimeError::RuntimeError;
};

// Writes at once, without a buffer of ours. Throws BrokenPipe when nobody reads it, RuntimeError when it
// cannot for another reason: a full disk, or an interrupt while the reader keeps it waiting.
void write_stdout(std::string_view text);

// The last words of a run that was interrupted: as above, but a reader that keeps it waiting for a second
// gets no more.
void write_last_words(std::string_view text);

bool stdout_is_terminal();

}  // namespace bitnet::cli
