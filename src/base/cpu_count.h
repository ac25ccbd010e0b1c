// How many threads are worth starting on this machine, and where they run best.
#pragma once

#include <vector>

namespace bitnet {

// Physical cores that this process may use: its affinity mask, one hardware thread per core, and the CPU
// quota of its control groups (rounded up). At least 1. Reads /proc and /sys; call it once.
unsigned usable_cores();

// The CPUs of the calling thread's affinity mask (with it, of the control group's), by number, in the order
// in which threads are best put on them: one of every physical core before the second of any, and among those
// the faster cores first. Empty where the system doesn't say. Reads /sys; call it once.
std::vector<int> usable_cpus();

}  // namespace bitnet
