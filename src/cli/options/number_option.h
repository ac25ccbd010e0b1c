// Options that take a number: decimal digits, all of the argument, within the range of the variable.
#pragma once

#include <array>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "base/parse_float.h"
#include "bitnet/error.h"
#include "cli/options/command.h"

namespace bitnet::cli {

// The variable's digits, as short as they can be.
template <typename Number>
std::string digits_of(Number value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

// `source` (an option or an environment variable) is for the message. Throws UsageError.
template <typename Number>
Number parse_number(std::string_view text, const std::string& source) {
  constexpr const char* kWanted = std::is_floating_point_v<Number> ? "a number such as 0.7"
                                  : std::is_signed_v<Number>       ? "a whole number"
                                                                   : "a whole number, 0 or more";
  Number value{};
  std::from_chars_result parsed{};
  if constexpr (std::is_floating_point_v<Number>) {
    parsed = parse_float(text, value);
  } else {
    parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  }
  const auto [end, error] = parsed;
  if (error == std::errc::result_out_of_range) {
    throw UsageError(source + " " + std::string(text) + " is too large or too small");
  }
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw UsageError(source + " '" + std::string(text) + "': give " + kWanted);
  }
  return value;
}

// The default shown is the variable's value. Decimal digits alone: no octal 010, no -1 that wraps around.
template <typename Number>
Option* add_number(Command& command, std::string_view names, Number& value, const std::string& description) {
  const auto parse = [&value](const std::string& text, const std::string& source) {
    value = parse_number<Number>(text, source);
  };
  return command.add_option(names, parse, description)->default_str(digits_of(value));
}

}  // namespace bitnet::cli
