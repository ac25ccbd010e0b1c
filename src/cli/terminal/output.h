// stdout: results and nothing else, every byte accounted for.
#pragma once

#include <string_view>

namespace bitnet::cli {

// Writes at once, without a buffer of ours. Throws RuntimeError when it cannot: a full disk, a closed pipe,
// or an interrupt while the reader keeps it waiting.
void write_stdout(std::string_view text);

// The last words of a run that was interrupted: as above, but a reader that keeps it waiting for a second
// gets no more.
void write_last_words(std::string_view text);

bool stdout_is_terminal();

}  // namespace bitnet::cli
