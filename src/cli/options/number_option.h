// Options that take a number: decimal digits, all of the argument, within the range of the variable.
#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "bitnet/error.h"

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
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    throw UsageError(source + " " + std::string(text) + " is too large or too small");
  }
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw UsageError(source + " '" + std::string(text) + "': give " + kWanted);
  }
  return value;
}

// What gave an option its text, for messages: the option's name, or its environment variable's.
inline std::string source_of(const CLI::App& command, const std::string& option, const std::string& text) {
  const std::string variable = command.get_option(option)->get_envname();
  const char* const from = variable.empty() ? nullptr : std::getenv(variable.c_str());
  return from != nullptr && text == from ? variable : option;
}

// CLI11's own conversion takes 010 for 8, wraps -1 around and clamps what is too large.
template <typename Number>
CLI::Option* add_number(CLI::App& command, const std::string& names, Number& value,
                        const std::string& description) {
  const std::string name = names.substr(names.rfind(',') + 1);  // npos + 1 is 0
  const auto parse = [&command, &value, name](const std::string& text) {
    value = parse_number<Number>(text, source_of(command, name, text));
  };
  return command.add_option_function<std::string>(names, parse, description)->default_str(digits_of(value));
}

}  // namespace bitnet::cli
