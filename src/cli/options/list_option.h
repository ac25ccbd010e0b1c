// Options that take several values with commas between them: 128,512.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options/list_text.h"
#include "cli/options/number_option.h"

namespace bitnet::cli {

// Throws UsageError as parse_number does.
template <typename Number>
Option* add_number_list(Command& command, std::string_view names, std::vector<Number>& values,
                        const std::string& description) {
  const auto parse = [&values](const std::string& text, const std::string& source) {
    values.clear();
    for (const std::string& value : split_list(text)) values.push_back(parse_number<Number>(value, source));
  };
  std::string defaults;
  for (const Number value : values) defaults += (defaults.empty() ? "" : ",") + digits_of(value);
  return command.add_option(names, parse, description)->default_str(defaults);
}

}  // namespace bitnet::cli
