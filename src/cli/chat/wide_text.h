// UTF-8 to wide characters, one for each code point, and back.
#pragma once

#include <string>
#include <string_view>

namespace bitnet::cli {

// What is no UTF-8 becomes U+FFFD.
std::wstring wide_of(std::string_view text);
std::string utf8_of(std::wstring_view text);

}  // namespace bitnet::cli
