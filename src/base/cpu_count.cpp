#include "base/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace bitnet {
namespace {

// Cores behind the CPUs of the affinity mask; 0 if the mask cannot be read.
unsigned cores_in_affinity_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  std::set<std::pair<long, long>> cores;  // (package, core)
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    long package = 0;
    long core = 0;
    const bool known = (std::ifstream(topology + "physical_package_id") >> package) &&
                       (std::ifstream(topology + "core_id") >> core);
    cores.insert(known ? std::pair{package, core} : std::pair{-1L, static_cast<long>(cpu)});
  }
  return static_cast<unsigned>(cores.size());
}

// CPUs' worth of time that the control group may use; 0 where there is no limit.
unsigned cgroup_quota() {
  double quota = 0;
  double period = 0;
  std::string first;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> first >> period && first != "max") {
    quota = std::atof(first.c_str());
  } else if (std::ifstream v1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"); v1 >> quota) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0) || !(period > 0)) return 0;
  return static_cast<unsigned>(std::clamp(std::ceil(quota / period), 1.0, 65536.0));
}

}  // namespace

unsigned usable_cores() {
  const unsigned cores = std::max(cores_in_affinity_mask(), 1U);
  const unsigned quota = cgroup_quota();
  return quota == 0 ? cores : std::min(cores, quota);
}

}  // namespace bitnet
