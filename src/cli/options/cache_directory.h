// Where a user's programs keep what can be made again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitnet::cli {

// The path for a file of ours: NAME in $XDG_CACHE_HOME/bitnet or ~/.cache/bitnet, by the XDG Base Directory
// Specification. Makes our directory, and ~/.cache, but nothing above them; nullopt when there is no home, it
// is another user's (that of sudo), or the directory cannot be had.
std::optional<std::string> cache_file(std::string_view name);

}  // namespace bitnet::cli
