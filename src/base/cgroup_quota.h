// How much processor time the control groups that this process is in leave it.
#pragma once

#include <string>

namespace bitnet {

// CPUs' worth of time, e.g. 1.5; 0 where there is no limit. Of the process's own group and all groups around
// it, of versions 1 and 2, the least counts: a limit holds for everything below it. `root` goes before /proc
// and /sys, for tests.
double cgroup_cpu_quota(const std::string& root = "");

}  // namespace bitnet
