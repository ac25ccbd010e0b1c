// What this processor and its operating system let a program use.
#pragma once

namespace bitnet::kernels {

struct CpuFeatures {
  bool avx2 = false;     // AVX2, FMA and F16C, and the system saves the 256-bit registers
  bool avxvnni = false;  // the above and AVX-VNNI
  bool avx512 =
      false;  // all but AVX-VNNI, AVX-512 F, BW, VL and VNNI, and the system saves the 512-bit registers
  bool dotprod = false;  // ARM's FEAT_DotProd: SDOT
  bool i8mm = false;     // the above and FEAT_I8MM: SMMLA
};

// Asks the processor once.
const CpuFeatures& cpu_features();

}  // namespace bitnet::kernels
