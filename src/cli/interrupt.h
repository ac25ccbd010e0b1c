// Ctrl-C and SIGTERM end a command soon and in order; a second one ends it at once.
#pragma once

namespace bitnet::cli {

// From now on the first signal only sets a flag; SIGPIPE becomes a write error.
void catch_interrupts();
bool interrupted();

}  // namespace bitnet::cli
