#include "kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

namespace bitnet::kernels {
namespace {

#if defined(__x86_64__)

// Register state that the operating system saves (XCR0).
std::uint64_t saved_state() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

// Bits as in Intel's manual, volume 2, CPUID, and volume 1, 13.3.
CpuFeatures detect() {
  CpuFeatures features;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return features;
  constexpr unsigned kFma = 1U << 12;
  constexpr unsigned kOsxsave = 1U << 27;
  constexpr unsigned kAvx = 1U << 28;
  constexpr unsigned kF16c = 1U << 29;
  constexpr unsigned kNeeded = kFma | kOsxsave | kAvx | kF16c;
  constexpr std::uint64_t kYmmState = 0x6;   // SSE and AVX registers
  constexpr std::uint64_t kZmmState = 0xE6;  // and mask registers and the rest of the 512-bit ones
  if ((ecx & kNeeded) != kNeeded) return features;
  const std::uint64_t saved = saved_state();
  if ((saved & kYmmState) != kYmmState) return features;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return features;
  const unsigned max_subleaf = eax;
  constexpr unsigned kAvx2 = 1U << 5;
  features.avx2 = (ebx & kAvx2) != 0;
  if (!features.avx2) return features;
  constexpr unsigned kAvx512 = 1U << 16 | 1U << 30 | 1U << 31;  // F, BW, VL
  constexpr unsigned kAvx512Vnni = 1U << 11;
  features.avx512 =
      (ebx & kAvx512) == kAvx512 && (ecx & kAvx512Vnni) != 0 && (saved & kZmmState) == kZmmState;
  constexpr unsigned kAvxVnni = 1U << 4;
  features.avxvnni =
      max_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
  return features;
}

#elif defined(__aarch64__) && defined(__linux__)

// Bits as the kernel's documentation has them (arm64: ELF hwcaps); C libraries older than a processor lack
// their names.
CpuFeatures detect() {
  constexpr unsigned long kAsimdDp = 1UL << 20;
  constexpr unsigned long kI8mm = 1UL << 13;
  CpuFeatures features;
  features.dotprod = (getauxval(AT_HWCAP) & kAsimdDp) != 0;
  features.i8mm = features.dotprod && (getauxval(AT_HWCAP2) & kI8mm) != 0;
  return features;
}

#elif defined(__aarch64__) && defined(__APPLE__)

bool has(const char* feature) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}

CpuFeatures detect() {
  CpuFeatures features;
  features.dotprod = has("hw.optional.arm.FEAT_DotProd");
  features.i8mm = features.dotprod && has("hw.optional.arm.FEAT_I8MM");
  return features;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace bitnet::kernels
