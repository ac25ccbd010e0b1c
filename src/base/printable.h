// Untrusted text made fit for a terminal or a one-line message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

// How much of a path, and of a name or key found in a file, error messages show.
inline constexpr std::size_t kMaxPrintedPath = 1024;
inline constexpr std::size_t kMaxPrintedName = 80;

// `text` on one line, in at most `max_chars` characters: printable ASCII and valid UTF-8 stand as they are;
// controls (C0, DEL, C1, line and paragraph separators), direction overrides, invisible marks, invalid UTF-8
// and the backslash are escaped as \n, \t, \r, \\ or \xNN per byte. What does not fit is cut and ends in
// "...". Reads no further into `text` than it prints.
std::string printable(std::string_view text, std::size_t max_chars);

}  // namespace bitnet
