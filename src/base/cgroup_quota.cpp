#include "base/cgroup_quota.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/cgroups.h"

namespace bitnet {
namespace {

// 0: no limit.
double limit_of(const CgroupDirectory& group) {
  std::string quota;
  double period = 0;
  if (group.version == CgroupVersion::v2) {
    std::ifstream(group.path + "/cpu.max") >> quota >> period;  // "max 100000" or "150000 100000"
  } else {
    std::ifstream(group.path + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(group.path + "/cpu.cfs_period_us") >> period;
  }
  const auto time = static_cast<double>(std::strtoll(quota.c_str(), nullptr, 10));
  return time > 0 && period > 0 ? time / period : 0;
}

}  // namespace

double cgroup_cpu_quota(const std::string& root) {
  double least = 0;
  for (const CgroupDirectory& group : cgroup_directories("cpu", root)) {
    const double limit = limit_of(group);
    if (limit > 0) least = least > 0 ? std::min(least, limit) : limit;
  }
  return least;
}

}  // namespace bitnet
