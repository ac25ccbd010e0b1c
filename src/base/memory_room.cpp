#include "base/memory_room.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "base/cgroups.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kNoLimit = MemoryRoom::kNoLimit;

std::atomic<std::uint64_t> g_reserved{0};

std::uint64_t sum(std::uint64_t a, std::uint64_t b) { return a > kNoLimit - b ? kNoLimit : a + b; }
std::uint64_t difference(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

// Of a file that holds one number; nullopt: there is none, as in "max".
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  if (file >> number && number >= 0) return static_cast<std::uint64_t>(number);
  return std::nullopt;
}

// Lines "NAME NUMBER" or "NAME: NUMBER kB".
class Table {
 public:
  explicit Table(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name, unit;
      std::uint64_t number = 0;
      if (!(words >> name >> number)) continue;
      if (name.ends_with(':')) name.pop_back();
      numbers_[name] = words >> unit && unit == "kB" ? number << 10 : number;
    }
  }
  std::optional<std::uint64_t> find(const char* name) const {
    const auto at = numbers_.find(name);
    return at == numbers_.end() ? std::nullopt : std::optional(at->second);
  }
  std::uint64_t operator[](const char* name) const { return find(name).value_or(0); }

 private:
  std::map<std::string, std::uint64_t> numbers_;
};

// Of this process, in bytes; see proc(5), /proc/pid/statm.
struct OwnMemory {
  std::uint64_t address_space = 0;
  std::uint64_t anonymous = 0;  // that is in memory
  std::uint64_t data = 0;

  explicit OwnMemory(const std::string& root) {
    std::uint64_t total = 0, resident = 0, shared = 0, text = 0, library = 0, data_and_stack = 0;
    std::ifstream(root + "/proc/self/statm") >> total >> resident >> shared >> text >> library >>
        data_and_stack;
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    address_space = total * page;
    anonymous = difference(resident, shared) * page;
    data = data_and_stack * page;
  }
};

// What the group may take beside the pages of files, which are given up for other memory. Swap counts as far
// as the machine has some.
std::uint64_t room_in_group(const CgroupDirectory& group, std::uint64_t swap_free) {
  const auto number = [&](const char* name) { return number_in(group.path + "/" + name); };
  const bool is_v2 = group.version == CgroupVersion::v2;
  const auto limit = number(is_v2 ? "memory.max" : "memory.limit_in_bytes");
  const auto used = number(is_v2 ? "memory.current" : "memory.usage_in_bytes");
  if (!limit || !used) return kNoLimit;
  const Table stat(group.path + "/memory.stat");
  if (is_v2) {
    const std::uint64_t pages = stat["active_file"] + stat["inactive_file"] + stat["slab_reclaimable"];
    const auto swap_limit = number("memory.swap.max");
    const std::uint64_t swap =
        swap_limit ? difference(*swap_limit, number("memory.swap.current").value_or(0)) : kNoLimit;
    return sum(difference(*limit, difference(*used, pages)), std::min(swap, swap_free));
  }
  const std::uint64_t pages = stat["total_active_file"] + stat["total_inactive_file"];
  const std::uint64_t room = sum(difference(*limit, difference(*used, pages)), swap_free);
  const auto both_limit = number("memory.memsw.limit_in_bytes");  // of memory and swap together
  const auto both_used = number("memory.memsw.usage_in_bytes");
  if (!both_limit || !both_used) return room;
  return std::min(room, difference(*both_limit, difference(*both_used, pages)));
}

void lower(MemoryRoom& room, std::uint64_t bytes, const char* where) {
  if (bytes < room.bytes) room = {bytes, where};
}

template <typename Resource>
void lower_by_limit(MemoryRoom& room, Resource resource, std::uint64_t used, const char* where) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  if (limit.rlim_cur != RLIM_INFINITY) lower(room, difference(limit.rlim_cur, used), where);
}

std::string left_of(const MemoryRoom& room) { return in_mib(room.bytes) + " left " + room.where; }

}  // namespace

MemoryRoom physical_memory_room(const std::string& root) {
  MemoryRoom room;
  const Table machine(root + "/proc/meminfo");
  const std::uint64_t swap_free = machine["SwapFree"];
  if (const auto available = machine.find("MemAvailable")) {
    lower(room, sum(*available, swap_free), "on this machine");
  }
  for (const CgroupDirectory& group : cgroup_directories("memory", root)) {
    lower(room, room_in_group(group, swap_free), "in the control group");
  }
  // All of what is in memory may be of what was reserved.
  const std::uint64_t to_come = difference(g_reserved, OwnMemory(root).anonymous);
  if (room.bytes != kNoLimit) room.bytes = difference(room.bytes, to_come);
  return room;
}

MemoryRoom address_space_room() {
  MemoryRoom room;
  const OwnMemory own("");
  lower_by_limit(room, RLIMIT_AS, own.address_space, "under the limit of address space (ulimit -v)");
  lower_by_limit(room, RLIMIT_DATA, own.data, "under the limit of data (ulimit -d)");
  return room;
}

MemoryRoom memory_room(const std::string& root) {
  const MemoryRoom physical = physical_memory_room(root);
  const MemoryRoom addresses = address_space_room();
  return addresses.bytes < physical.bytes ? addresses : physical;
}

std::string in_mib(std::uint64_t bytes) {
  std::array<char, 32> text;
  const auto kib = static_cast<double>(bytes) / 1024;
  const bool is_small = kib < 102.4;  // less than a tenth of a MiB
  const int n = std::snprintf(text.data(), text.size(), is_small ? "%.1f KiB" : "%.1f MiB",
                              is_small ? kib : kib / 1024);
  return {text.data(), static_cast<std::size_t>(n)};
}

std::string memory_left() {
  const MemoryRoom room = memory_room();
  return room.bytes == kNoLimit ? "" : left_of(room);
}

void require_room(const MemoryRoom& room, std::uint64_t bytes, const MemoryPurpose& purpose) {
  if (bytes > room.bytes) refuse_memory(room, bytes, purpose);
}

void refuse_memory(const MemoryRoom& room, std::uint64_t bytes, const MemoryPurpose& purpose) {
  throw RuntimeError("no memory for " + std::string(purpose.what) + ": " + in_mib(bytes) + " needed, " +
                     (bytes > room.bytes ? left_of(room) : "which the system does not give") + "; " +
                     purpose.advice);
}

void reserve_memory(std::size_t bytes) noexcept { g_reserved += bytes; }
void unreserve_memory(std::size_t bytes) noexcept { g_reserved -= bytes; }

}  // namespace bitnet
