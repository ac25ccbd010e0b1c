#include "base/file_node.h"

#include <sys/stat.h>

namespace bitnet {
namespace {

std::optional<FileNode> node_of(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return FileNode{status.st_dev, status.st_ino};
}

}  // namespace

std::optional<FileNode> file_node(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? node_of(status) : std::nullopt;
}

std::optional<FileNode> file_node(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? node_of(status) : std::nullopt;
}

}  // namespace bitnet
