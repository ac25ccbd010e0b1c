// What the system gave this process's threads of the processors, and what it kept from them.
#pragma once

#include <optional>

namespace bitnet {

struct ThreadTimes {
  double ran = 0;     // seconds on a processor, all threads together
  double waited = 0;  // seconds that they could have run in and others did
};

// Of all threads that live now, since each began. nullopt where the system doesn't say (it is Linux's
// schedstat). Reads /proc, some ten microseconds for each thread.
std::optional<ThreadTimes> thread_times();

// What came between; nullopt where either is not known or nothing ran.
std::optional<ThreadTimes> between(const std::optional<ThreadTimes>& before,
                                   const std::optional<ThreadTimes>& after);

}  // namespace bitnet
