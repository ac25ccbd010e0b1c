// Options that take several values with commas between them: 128,512.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options/number_option.h"

namespace bitnet::cli {

// What stands between the commas; of values that are repeated the first.
inline std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> values;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string value(text.substr(at, comma - at));
    if (std::ranges::find(values, value) == values.end()) values.push_back(std::move(value));
    at = comma + 1;
  }
  return values;
}

// Throws UsageError as parse_number does.
template <typename Number>
CLI::Option* add_number_list(CLI::App& command, const std::string& names, std::vector<Number>& values,
                             const std::string& description) {
  const std::string name = names.substr(names.rfind(',') + 1);  // npos + 1 is 0
  const auto parse = [&command, &values, name](const std::string& text) {
    const std::string source = source_of(command, name, text);
    values.clear();
    for (const std::string& value : split_list(text)) values.push_back(parse_number<Number>(value, source));
  };
  std::string defaults;
  for (const Number value : values) defaults += (defaults.empty() ? "" : ",") + digits_of(value);
  return command.add_option_function<std::string>(names, parse, description)->default_str(defaults);
}

}  // namespace bitnet::cli
