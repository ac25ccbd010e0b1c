#include "diagnostics/cpu_name.h"

#include <sys/utsname.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace bitnet {
namespace {

struct Part {
  unsigned implementer;
  unsigned part;
  std::string_view name;
};

// MIDR_EL1 of ARM's processors, as in the Linux kernel's arch/arm64/include/asm/cputype.h.
constexpr auto kParts = std::to_array<Part>({
    {0x41, 0xD03, "ARM Cortex-A53"},     {0x41, 0xD04, "ARM Cortex-A35"},
    {0x41, 0xD05, "ARM Cortex-A55"},     {0x41, 0xD07, "ARM Cortex-A57"},
    {0x41, 0xD08, "ARM Cortex-A72"},     {0x41, 0xD09, "ARM Cortex-A73"},
    {0x41, 0xD0A, "ARM Cortex-A75"},     {0x41, 0xD0B, "ARM Cortex-A76"},
    {0x41, 0xD0C, "ARM Neoverse-N1"},    {0x41, 0xD0D, "ARM Cortex-A77"},
    {0x41, 0xD40, "ARM Neoverse-V1"},    {0x41, 0xD41, "ARM Cortex-A78"},
    {0x41, 0xD44, "ARM Cortex-X1"},      {0x41, 0xD46, "ARM Cortex-A510"},
    {0x41, 0xD47, "ARM Cortex-A710"},    {0x41, 0xD48, "ARM Cortex-X2"},
    {0x41, 0xD49, "ARM Neoverse-N2"},    {0x41, 0xD4B, "ARM Cortex-A78C"},
    {0x41, 0xD4D, "ARM Cortex-A715"},    {0x41, 0xD4E, "ARM Cortex-X3"},
    {0x41, 0xD4F, "ARM Neoverse-V2"},    {0x41, 0xD80, "ARM Cortex-A520"},
    {0x41, 0xD81, "ARM Cortex-A720"},    {0x41, 0xD82, "ARM Cortex-X4"},
    {0x41, 0xD84, "ARM Neoverse-V3"},    {0x41, 0xD85, "ARM Cortex-X925"},
    {0x41, 0xD87, "ARM Cortex-A725"},    {0x46, 0x001, "Fujitsu A64FX"},
    {0x48, 0xD01, "HiSilicon TSV110"},   {0x61, 0x022, "Apple M1 Icestorm"},
    {0x61, 0x023, "Apple M1 Firestorm"}, {0x61, 0x032, "Apple M2 Blizzard"},
    {0x61, 0x033, "Apple M2 Avalanche"}, {0xC0, 0xAC3, "Ampere-1"},
});

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

// The board's, of systems that have a device tree.
std::string board_name() {
  std::ifstream model("/proc/device-tree/model");
  std::string name;
  std::getline(model, name);
  return trimmed(name);
}

}  // namespace

std::string cpu_name_in(std::istream& cpuinfo) {
  unsigned implementer = 0;
  unsigned part = 0;
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) return trimmed(value);
    const auto number = static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 0));
    if (line.starts_with("CPU implementer")) implementer = number;
    if (line.starts_with("CPU part")) part = number;
  }
  const auto* const known = std::ranges::find_if(
      kParts, [&](const Part& p) { return p.implementer == implementer && p.part == part; });
  return known == kParts.end() ? std::string() : std::string(known->name);
}

std::string cpu_name() {
#ifdef __APPLE__
  std::array<char, 128> brand{};
  std::size_t size = brand.size() - 1;
  if (sysctlbyname("machdep.cpu.brand_string", brand.data(), &size, nullptr, 0) == 0) return brand.data();
#endif
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::string name = cpu_name_in(cpuinfo);
  const std::string board = board_name();
  if (!name.empty()) return board.empty() ? name : name + " (" + board + ")";
  if (!board.empty()) return board;
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

}  // namespace bitnet
