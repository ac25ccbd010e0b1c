// What --help prints.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace bitnet::cli {

// Two columns, at most 80 characters wide: names, and a description that ends with default and environment
// variable. CLI11's own formatter puts those between the names and changes between its versions.
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace bitnet::cli
