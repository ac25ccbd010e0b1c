// Text that people typed, without what stands around it.
#pragma once

#include <algorithm>
#include <string_view>

namespace bitnet::cli {

inline constexpr std::string_view kWhiteSpace = " \t\r\n";

inline std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kWhiteSpace) + 1);  // npos + 1 is 0
}

}  // namespace bitnet::cli
