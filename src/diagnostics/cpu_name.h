// What processor this is, for reports.
#pragma once

#include <istream>
#include <string>

namespace bitnet {

// "AMD EPYC 7763 64-Core Processor", "ARM Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)"; the architecture's
// name where the system doesn't say.
std::string cpu_name();

// The name in /proc/cpuinfo, or what its numbers of implementer and part stand for: on ARM there is no name,
// and where cores differ those of the fastest are last. Empty where it tells neither.
std::string cpu_name_in(std::istream& cpuinfo);

}  // namespace bitnet
