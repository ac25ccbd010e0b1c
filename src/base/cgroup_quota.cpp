#include "base/cgroup_quota.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet {
namespace {

enum class Version { v1, v2 };

// Where a hierarchy of groups is mounted, and which of its groups is seen there as the uppermost.
struct Mount {
  Version version;
  std::string point;
  std::string top = "/";
};

// One of the words between commas.
bool names_cpu(std::string_view list) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    if (list.substr(at, comma - at) == "cpu") return true;
    at = comma + 1;
  }
  return false;
}

// The kernel writes blanks in names as \040 and the like.
std::string unescaped(std::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && std::all_of(&text[i + 1], &text[i + 1] + 3, is_octal)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// See proc(5), /proc/pid/mountinfo: six fields, any number of others, a dash, type, source, options.
std::vector<Mount> mounts(const std::string& root) {
  std::vector<Mount> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id, parent, device, top, point, skipped, type, source, options;
    words >> id >> parent >> device >> top >> point;
    while (words >> skipped && skipped != "-") continue;
    if (!(words >> type >> source >> options)) continue;
    if (type == "cgroup2") found.push_back({Version::v2, unescaped(point), unescaped(top)});
    if (type == "cgroup" && names_cpu(options))
      found.push_back({Version::v1, unescaped(point), unescaped(top)});
  }
  // Where they usually are, should the list be hidden or a container have something else mounted there.
  found.push_back({Version::v2, "/sys/fs/cgroup"});
  found.push_back({Version::v1, "/sys/fs/cgroup/cpu"});
  return found;
}

// The process's group in the hierarchy of each version, from the lines "NUMBER:CONTROLLERS:PATH".
struct Groups {
  std::string v1 = "/";
  std::string v2 = "/";
};
Groups own_groups(const std::string& root) {
  Groups groups;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (controllers.empty()) groups.v2 = line.substr(second + 1);
    if (names_cpu(controllers)) groups.v1 = line.substr(second + 1);
  }
  return groups;
}

// The group's place below the mount; its uppermost group where the group itself is out of sight.
std::string below(const Mount& mount, const std::string& group) {
  if (mount.top == "/") return group.starts_with("/..") ? "/" : group;
  if (group != mount.top && !group.starts_with(mount.top + "/")) return "/";
  return group.substr(mount.top.size());
}

// 0: no limit.
double limit_of(Version version, const std::string& directory) {
  std::string quota;
  double period = 0;
  if (version == Version::v2) {
    std::ifstream(directory + "/cpu.max") >> quota >> period;  // "max 100000" or "150000 100000"
  } else {
    std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  }
  const auto time = static_cast<double>(std::strtoll(quota.c_str(), nullptr, 10));
  return time > 0 && period > 0 ? time / period : 0;
}

}  // namespace

double cgroup_cpu_quota(const std::string& root) {
  const Groups groups = own_groups(root);
  double least = 0;
  for (const Mount& mount : mounts(root)) {
    std::string group = below(mount, mount.version == Version::v2 ? groups.v2 : groups.v1);
    for (;;) {
      const double limit = limit_of(mount.version, root + mount.point + group);
      if (limit > 0) least = least > 0 ? std::min(least, limit) : limit;
      const std::size_t slash = group.rfind('/');
      if (group.empty() || group == "/" || slash == std::string::npos) break;
      group.resize(slash);
    }
  }
  return least;
}

}  // namespace bitnet
