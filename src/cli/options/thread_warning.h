// A word about --threads where it asks for more than the machine has.
#pragma once

namespace bitnet::cli {

// Warns where n_threads cannot all run at once.
void warn_of_many_threads(unsigned n_threads);

// How many threads go through a file where so many were asked for, or one per physical core for 0: never more
// than that, with a warning.
unsigned threads_for_files(unsigned asked);

}  // namespace bitnet::cli
