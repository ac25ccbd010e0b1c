#include "cli/terminal/memory_use.h"

#include <fstream>
#include <string>

namespace bitnet::cli {

MemoryUse memory_use() {
  MemoryUse use;
  std::ifstream status("/proc/self/status");
  std::string field;
  while (status >> field) {
    std::uint64_t kib = 0;
    if (field == "VmHWM:" && status >> kib) use.peak_bytes = kib << 10;
    if (field == "RssAnon:" && status >> kib) use.own_bytes = kib << 10;
    if (field == "RssFile:" && status >> kib) use.mapped_bytes = kib << 10;
  }
  return use;
}

void restart_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace bitnet::cli
