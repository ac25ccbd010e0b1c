// Names in a row, for messages.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace bitnet {

// "a, b, c": what `name` gives of each, which is a text.
template <typename Range, typename Name = std::identity>
std::string joined(const Range& all, Name name = {}) {
  std::string text;
  for (const auto& each : all) {
    if (!text.empty()) text += ", ";
    text += std::string_view(std::invoke(name, each));
  }
  return text;
}

}  // namespace bitnet
