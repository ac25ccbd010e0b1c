// What this processor and its operating system let a program use.
#pragma once

namespace bitnet::kernels {

struct CpuFeatures {
  bool avx2 = false;  // AVX2, FMA and F16C, and the system saves the 256-bit registers
};

// Asks the processor once.
const CpuFeatures& cpu_features();

}  // namespace bitnet::kernels
