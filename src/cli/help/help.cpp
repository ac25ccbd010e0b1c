#include "cli/help/help.h"

#include <iterator>
#include <sstream>
#include <utility>
#include <vector>

namespace bitnet::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kNameWidth = 25;  // of the left column

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// One entry: a name, and its description wrapped beside it.
std::string entry(const std::string& name, const std::vector<std::string>& words) {
  std::string out;
  std::string line = "  " + name;
  for (const std::string& word : words) {
    if (line.size() + 1 + word.size() > kWidth) out += std::exchange(line, "") + "\n";
    if (line.size() < kNameWidth) line.resize(kNameWidth, ' ');
    line += ' ' + word;
  }
  return out + line + "\n";
}

// "-p, --prompt TEXT"; long names stand under one another. An argument has no name but its type's.
std::string names_of(const Option& option) {
  if (option.names().empty()) return option.value();
  const std::string& first = option.names().front();
  std::string names = first.starts_with("--") ? "    " : first + ", ";
  names += option.long_name();
  return option.is_flag() ? names : names + " " + option.value();
}

// What is not to be broken across lines counts as a word.
std::vector<std::string> description_of(const Option& option) {
  std::vector<std::string> words = words_of(option.description());
  if (!option.default_str().empty()) words.push_back("[default: " + option.default_str() + "]");
  if (!option.envname().empty()) words.push_back("[env: " + option.envname() + "]");
  return words;
}

}  // namespace

std::string help_text(const Command& program, const Command& command) {
  const bool is_program = &program == &command;
  std::string out = command.description() + "\n\nUsage: " + program.name() +
                    (is_program ? " COMMAND" : " " + command.name()) + " [OPTIONS]";
  for (const Option& option : command.options()) {
    if (!option.positional().empty()) out += " " + option.value();
  }
  out += "\n";
  if (is_program) out += "\nCommands:\n";
  for (const Command& sub : command.subcommands()) out += entry(sub.name(), words_of(sub.description()));
  for (const std::string& group : command.groups()) {
    out += "\n" + group + ":\n";
    for (const Option& option : command.options()) {
      if (option.group() == group) out += entry(names_of(option), description_of(option));
    }
  }
  return command.footer().empty() ? out : out + "\n" + command.footer() + "\n";
}

}  // namespace bitnet::cli
