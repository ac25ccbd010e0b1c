// A mapped file that is cut short, or cannot be read any more, while its bytes are in use: the system tells a
// process of that by SIGBUS.
#pragma once

namespace bitnet::cli {

// From now on it ends the process with a message that names the file, exit code 1, and without the files that
// were being written.
void catch_file_faults();

}  // namespace bitnet::cli
