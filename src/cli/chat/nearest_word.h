// The word that someone may have meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bitnet::cli {

// Of `words` the one with the fewest letters to change, add, drop or swap; nullopt where that is more than a
// third of those typed. A word that is the beginning of the other one is near.
std::optional<std::string> nearest_word(std::string_view typed, std::span<const std::string> words);

}  // namespace bitnet::cli
