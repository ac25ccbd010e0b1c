// Texts of several values with commas between them: 128,512.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet::cli {

// What stands between the commas; of values that are repeated the first.
inline std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> values;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string value(text.substr(at, comma - at));
    if (std::ranges::find(values, value) == values.end()) values.push_back(std::move(value));
    at = comma + 1;
  }
  return values;
}

}  // namespace bitnet::cli
