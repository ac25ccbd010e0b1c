#include "diagnostics/cpu_name.h"

#include <gtest/gtest.h>

#include <sstream>

namespace bitnet {
namespace {

std::string name_in(const std::string& cpuinfo) {
  std::istringstream text(cpuinfo);
  return cpu_name_in(text);
}

TEST(CpuName, IsTheOneThatTheSystemGives) {
  EXPECT_EQ(name_in("processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\nmodel name\t: other\n"),
            "AMD EPYC 7763 64-Core Processor");
}

TEST(CpuName, OfArmIsWhatItsNumbersStandFor) {
  const std::string small =
      "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd05\n\n";
  const std::string large =
      "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\n\n";
  EXPECT_EQ(name_in(large), "ARM Cortex-A76");
  EXPECT_EQ(name_in(small + large), "ARM Cortex-A76");
}

TEST(CpuName, IsEmptyWhereNothingTells) {
  EXPECT_EQ(name_in(""), "");
  EXPECT_EQ(name_in("CPU implementer\t: 0x99\nCPU part\t: 0x001\n"), "");
  EXPECT_EQ(name_in("CPU implementer\t: who knows\nCPU part\t:\n"), "");
  EXPECT_FALSE(cpu_name().empty());
}

}  // namespace
}  // namespace bitnet
