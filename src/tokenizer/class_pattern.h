// Regular expressions over classes of characters instead of characters: a text is written as one byte for
// each character, and an expression over properties of Unicode becomes one over these bytes. What a library
// that matches it knows of Unicode then doesn't matter.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

// A published expression, of ASCII but for U+017F, as one over class bytes: \p{L}, \p{M}, \p{N}, \s and \S
// are what `append_class_bytes` writes for such characters. Other escapes stay as they are.
std::string class_pattern(std::string_view expression);

// Appends a byte for each character of the longest well-formed front of `text`, and returns its length. ASCII
// characters and U+017F, which (?i:s) matches too, have bytes of their own; of all others only the class
// counts.
std::size_t append_class_bytes(std::string_view text, std::string& out);

}  // namespace bitnet
