#include "cli/options/cache_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace bitnet::cli {
namespace {

// Of this user's own.
bool is_own_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

// An absolute path, as the specification wants it.
std::string directory_in(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value == '/' ? value : "";
}

}  // namespace

std::optional<std::string> cache_file(std::string_view name) {
  std::string base = directory_in("XDG_CACHE_HOME");
  if (base.empty()) {
    const std::string home = directory_in("HOME");
    if (home.empty() || !is_own_directory(home)) return std::nullopt;
    base = home + "/.cache";
    ::mkdir(base.c_str(), 0700);  // if it is not there
  }
  if (!is_own_directory(base)) return std::nullopt;
  const std::string ours = base + "/bitnet";
  ::mkdir(ours.c_str(), 0700);
  if (!is_own_directory(ours)) return std::nullopt;
  return ours + "/" + std::string(name);
}

}  // namespace bitnet::cli
