// A word about --threads where it asks for more than the machine has.
#pragma once

namespace bitnet::cli {

// Warns where n_threads cannot all run at once.
void warn_of_many_threads(unsigned n_threads);

}  // namespace bitnet::cli
