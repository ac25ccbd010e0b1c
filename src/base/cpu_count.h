// How many threads are worth starting on this machine.
#pragma once

namespace bitnet {

// Physical cores that this process may use: its affinity mask, one hardware thread per core, and the CPU
// quota of its control group (rounded up). At least 1. Reads /sys; call it once.
unsigned usable_cores();

}  // namespace bitnet
