// Which file a name or descriptor is of: two may be of one.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace bitnet {

struct FileNode {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileNode&) const = default;
};

// Of a regular file, links followed; nullopt for what is none or isn't there.
std::optional<FileNode> file_node(const std::string& path);
std::optional<FileNode> file_node(int descriptor);

}  // namespace bitnet
