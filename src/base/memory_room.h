// How much memory this process may still take, so that work which needs more is refused before it begins: the
// system itself would end the process in the middle of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace bitnet {

struct MemoryRoom {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t bytes = kNoLimit;
  std::string where;  // whose limit that is, for a message: "in the control group"
};

// Of memory itself, as files that are mapped are kept in too: by the limits of the control groups and by what
// the machine has. `root` goes before /proc and /sys, for tests.
MemoryRoom physical_memory_room(const std::string& root = "");
// Of address space, which is all that files take which are mapped: by the process's own limits.
MemoryRoom address_space_room();
// Of memory that is to be used: the lesser of the two.
MemoryRoom memory_room(const std::string& root = "");

// "200.0 MiB"; less than a tenth of one as "3.5 KiB".
std::string in_mib(std::uint64_t bytes);
// "200.0 MiB left in the control group"; empty: nothing says.
std::string memory_left();

// What memory is for, and what to do where it cannot be had.
struct MemoryPurpose {
  // NOLINTNEXTLINE(google-explicit-constructor): a purpose is mostly just its name
  constexpr MemoryPurpose(const char* name, const char* what_to_do = "free some, or allow this process more")
      : what(name), advice(what_to_do) {}
  const char* what;
  const char* advice;
};

// Throws RuntimeError "no memory for WHAT: ...; ADVICE", the first of them where there is no room for so
// much.
void require_room(const MemoryRoom& room, std::uint64_t bytes, const MemoryPurpose& purpose);
[[noreturn]] void refuse_memory(const MemoryRoom& room, std::uint64_t bytes, const MemoryPurpose& purpose);

// Memory that was asked for and isn't taken before it is touched; told by AnonymousMemory.
void reserve_memory(std::size_t bytes) noexcept;
void unreserve_memory(std::size_t bytes) noexcept;

}  // namespace bitnet
