// The control groups that this process is in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

enum class CgroupVersion { v1, v2 };

struct CgroupDirectory {
  CgroupVersion version = CgroupVersion::v2;
  std::string path;  // of the group's files, with `root` before it
};

// The process's own group and all groups around it, of versions 1 and 2: a limit holds for everything below
// it. Of version 1 those of a controller, such as "cpu". Some may be named twice, and some not be there.
// `root` goes before /proc and /sys, for tests.
std::vector<CgroupDirectory> cgroup_directories(std::string_view controller, const std::string& root = "");

}  // namespace bitnet
