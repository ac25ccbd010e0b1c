#include "base/thread_times.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace bitnet {

std::optional<ThreadTimes> thread_times() {
  std::error_code error;
  std::filesystem::directory_iterator threads("/proc/self/task", error);
  ThreadTimes total;
  bool any = false;
  for (; !error && threads != std::filesystem::directory_iterator(); threads.increment(error)) {
    std::ifstream file(threads->path() / "schedstat");
    double ran = 0;
    double waited = 0;  // both in nanoseconds
    if (!(file >> ran >> waited)) continue;
    total.ran += ran * 1e-9;
    total.waited += waited * 1e-9;
    any = true;
  }
  if (!any || total.ran <= 0)
    return std::nullopt;  // all zeros: a system that has the file and counts nothing
  return total;
}

std::optional<ThreadTimes> between(const std::optional<ThreadTimes>& before,
                                   const std::optional<ThreadTimes>& after) {
  if (!before || !after) return std::nullopt;
  const ThreadTimes times{after->ran - before->ran, std::max(after->waited - before->waited, 0.0)};
  return times.ran > 0 ? std::optional(times) : std::nullopt;
}

}  // namespace bitnet
