#include "cli/terminal/tensor_kind.h"

#include <cstddef>

namespace bitnet::cli {

std::string tensor_kind(const std::string& name) {
  std::size_t begin = 0;
  if (name.starts_with("blk.")) {
    const std::size_t dot = name.find('.', 4);
    if (dot != std::string::npos) begin = dot + 1;
  }
  const std::size_t end = name.ends_with(".weight") ? name.size() - 7 : name.size();
  return begin < end ? name.substr(begin, end - begin) : name;
}

}  // namespace bitnet::cli
