// What was meant by a name that there is not.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitnet {

// The candidate nearest to the word, if it is near enough to have been meant; otherwise empty.
std::string_view nearest_name(std::string_view word, std::span<const std::string> candidates);

}  // namespace bitnet
