// What this process holds of the machine's memory.
#pragma once

#include <cstdint>

namespace bitnet::cli {

constexpr double to_mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

struct MemoryUse {
  std::uint64_t peak_bytes = 0;    // 0: not known; most that was ever resident, mapped file pages included
  std::uint64_t own_bytes = 0;     // resident now and not backed by a file: what the process really costs
  std::uint64_t mapped_bytes = 0;  // resident now and shared with the page cache
};

// From /proc/self/status; zeros where there is none.
MemoryUse memory_use();

// Lets the peak begin anew with what is resident now. Where the system doesn't allow it nothing happens.
void restart_peak();

}  // namespace bitnet::cli
