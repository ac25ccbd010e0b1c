#include "base/cpu_count.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/cgroup_quota.h"

namespace bitnet {
namespace {

struct Cpu {
  int number = 0;
  std::pair<long, long> core;  // package and core; the CPU's own where the system doesn't say
  long speed = 0;              // in units of this system's, to compare; 0: it doesn't say
  unsigned nth_of_core = 0;    // 0: the first hardware thread of its core
};

#ifdef __linux__

// Those of the affinity mask, by number; none if it cannot be read.
std::vector<Cpu> cpus_to_use() {
  std::vector<Cpu> cpus;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  std::map<std::pair<long, long>, unsigned> n_threads_of;
  for (int number = 0; number < CPU_SETSIZE; ++number) {
    if (!CPU_ISSET(static_cast<std::size_t>(number), &mask)) continue;
    Cpu cpu;
    cpu.number = number;
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(number);
    const bool known = (std::ifstream(folder + "/topology/physical_package_id") >> cpu.core.first) &&
                       (std::ifstream(folder + "/topology/core_id") >> cpu.core.second);
    if (!known) cpu.core = {-1, number};
    // Where cores differ the kernel gives their capacity or, failing that, their clocks do.
    if (!(std::ifstream(folder + "/cpu_capacity") >> cpu.speed)) {
      std::ifstream(folder + "/cpufreq/cpuinfo_max_freq") >> cpu.speed;
    }
    cpu.nth_of_core = n_threads_of[cpu.core]++;
    cpus.push_back(cpu);
  }
  return cpus;
}

#else

// As many as the system tells of, each taken for a core of its own.
std::vector<Cpu> cpus_to_use() {
  std::vector<Cpu> cpus(std::thread::hardware_concurrency());
  for (int number = 0; Cpu & cpu : cpus) {
    cpu.number = number;
    cpu.core = {-1, number++};
  }
  return cpus;
}

#endif

}  // namespace

unsigned usable_cores() {
  const std::vector<Cpu> cpus = cpus_to_use();
  const auto n = std::ranges::count_if(cpus, [](const Cpu& cpu) { return cpu.nth_of_core == 0; });
  const unsigned cores = std::max(static_cast<unsigned>(n), 1U);
  const double quota = cgroup_cpu_quota();
  if (quota <= 0) return cores;
  return static_cast<unsigned>(std::clamp(std::ceil(quota), 1.0, static_cast<double>(cores)));
}

std::vector<int> usable_cpus() {
  std::vector<Cpu> cpus = cpus_to_use();
  std::ranges::stable_sort(cpus, {}, [](const Cpu& cpu) { return std::pair{cpu.nth_of_core, -cpu.speed}; });
  std::vector<int> numbers;
  for (const Cpu& cpu : cpus) numbers.push_back(cpu.number);
  return numbers;
}

}  // namespace bitnet
