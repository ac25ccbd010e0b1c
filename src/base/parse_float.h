// Floating-point numbers from text, whatever the locale.
#pragma once

#include <charconv>
#include <string_view>

namespace bitnet {

// As std::from_chars does it in its general form, which libc++ lacks before version 20: the longest number
// that `text` begins with, rounded to the nearest; no blanks or plus sign before it. `ptr` points behind it.
// ec is std::errc::invalid_argument where there is none, result_out_of_range where it is too large or too
// small, and then `value` is left alone.
std::from_chars_result parse_float(std::string_view text, float& value);
std::from_chars_result parse_float(std::string_view text, double& value);

}  // namespace bitnet
