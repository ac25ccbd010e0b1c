// The commands and options of the program as plain data, for what is made of them: completion scripts and the
// manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bitnet::cli {

struct OptionInfo {
  std::vector<std::string> names;  // "-p", "--prompt"; none: an argument without a name
  std::string value;               // what it takes: "FILE"; empty: nothing
  std::vector<std::string> choices;
  bool may_repeat = false;
  std::string group;
  std::string description;
  std::string default_value;
  std::string variable;  // of the environment

  bool takes_file() const { return value.starts_with("FILE"); }
};

struct CommandInfo {
  std::string name;
  std::string description;
  std::vector<std::string> groups;  // of the options, in order
  std::vector<OptionInfo> options;
  std::string footer;
};

CommandInfo describe(const CLI::App& command);
std::vector<CommandInfo> describe_commands(const CLI::App& app);

}  // namespace bitnet::cli
