#include "base/cgroups.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet {
namespace {

// Where a hierarchy of groups is mounted, and which of its groups is seen there as the uppermost.
struct Mount {
  CgroupVersion version;
  std::string point;
  std::string top = "/";
};

// Among the words between commas.
bool is_listed(std::string_view word, std::string_view list) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    if (list.substr(at, comma - at) == word) return true;
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
std::vector<Mount> mounts(std::string_view controller, const std::string& root) {
  std::vector<Mount> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id, parent, device, top, point, skipped, type, source, options;
    words >> id >> parent >> device >> top >> point;
    while (words >> skipped && skipped != "-") continue;
    if (!(words >> type >> source >> options)) continue;
    if (type == "cgroup2") found.push_back({CgroupVersion::v2, unescaped(point), unescaped(top)});
    if (type == "cgroup" && is_listed(controller, options))
      found.push_back({CgroupVersion::v1, unescaped(point), unescaped(top)});
  }
  // Where they usually are, should the list be hidden or a container have something else mounted there.
  found.push_back({CgroupVersion::v2, "/sys/fs/cgroup"});
  found.push_back({CgroupVersion::v1, "/sys/fs/cgroup/" + std::string(controller)});
  return found;
}

// The process's group in the hierarchy of each version, from the lines "NUMBER:CONTROLLERS:PATH".
struct Groups {
  std::string v1 = "/";
  std::string v2 = "/";
};
Groups own_groups(std::string_view controller, const std::string& root) {
  Groups groups;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (controllers.empty()) groups.v2 = line.substr(second + 1);
    if (is_listed(controller, controllers)) groups.v1 = line.substr(second + 1);
  }
  return groups;
}

// The group's place below the mount; its uppermost group where the group itself is out of sight.
std::string below(const Mount& mount, const std::string& group) {
  if (mount.top == "/") return group.starts_with("/..") ? "/" : group;
  if (group != mount.top && !group.starts_with(mount.top + "/")) return "/";
  return group.substr(mount.top.size());
}

}  // namespace

std::vector<CgroupDirectory> cgroup_directories(std::string_view controller, const std::string& root) {
  const Groups groups = own_groups(controller, root);
  std::vector<CgroupDirectory> directories;
  for (const Mount& mount : mounts(controller, root)) {
    std::string group = below(mount, mount.version == CgroupVersion::v2 ? groups.v2 : groups.v1);
    for (;;) {
      directories.push_back({mount.version, root + mount.point + group});
      const std::size_t slash = group.rfind('/');
      if (group.empty() || group == "/" || slash == std::string::npos) break;
      group.resize(slash);
    }
  }
  return directories;
}

}  // namespace bitnet
