#include "base/mapping_list.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/printable.h"

namespace bitnet {
namespace {

// A model in parts, and what else is open beside it.
constexpr std::size_t kMostMappings = 256;

// Free where begin is 0, being filled in where it is 1.
struct Mapping {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::array<char, kMaxPrintedPath + 1> name{};
};
std::array<Mapping, kMostMappings> g_mappings;

std::mutex g_changed_mutex;
std::optional<std::string> g_changed;

std::uintptr_t number_of(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

}  // namespace

const char* mapped_file_at(const void* address) noexcept {
  for (const Mapping& m : g_mappings) {
    const std::uintptr_t begin = m.begin.load(std::memory_order_acquire);
    if (begin > 1 && number_of(address) >= begin && number_of(address) < m.end) return m.name.data();
  }
  return nullptr;
}

std::optional<std::string> file_changed_while_mapped() {
  const std::lock_guard lock(g_changed_mutex);
  return g_changed;
}

void list_mapping(const void* begin, std::size_t n_bytes, const std::string& path) noexcept {
  for (Mapping& m : g_mappings) {
    std::uintptr_t free = 0;
    if (!m.begin.compare_exchange_strong(free, 1)) continue;
    const std::string name = printable(path, kMaxPrintedPath);
    const std::size_t n = std::min(name.size(), kMaxPrintedPath);
    *std::copy_n(name.begin(), n, m.name.begin()) = '\0';
    m.end = number_of(begin) + n_bytes;
    m.begin.store(number_of(begin), std::memory_order_release);
    return;
  }
}

void unlist_mapping(const void* begin, bool has_changed) noexcept {
  for (Mapping& m : g_mappings) {
    if (m.begin != number_of(begin)) continue;
    if (has_changed) {
      const std::lock_guard lock(g_changed_mutex);
      if (!g_changed) g_changed = m.name.data();
    }
    m.begin.store(0, std::memory_order_release);
    return;
  }
}

}  // namespace bitnet
