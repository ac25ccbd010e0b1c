#include "cli/help/help.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kDefaultWidth = 80;
constexpr std::size_t kLeastWidth = 40;
constexpr std::size_t kMostWidth = 100;  // longer lines are hard to read
constexpr std::size_t kNarrowHelp = 60;  // below it descriptions stand under their names
constexpr std::size_t kNameWidth = 25;   // of the left column
constexpr std::size_t kNarrowIndent = 6;

std::size_t text_width() {
  std::size_t width = 0;
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr) {
    const std::string_view digits(columns);
    std::from_chars(digits.data(), digits.data() + digits.size(), width);
  }
  winsize window{};
  if (width == 0 && stdout_is_terminal() && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0) {
    width = window.ws_col;
  }
  return width == 0 ? kDefaultWidth : std::clamp(width, kLeastWidth, kMostWidth);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// One entry: a name, and its description wrapped beside it, or under it where there is no room.
std::string entry(const std::string& name, const std::vector<std::string>& words, std::size_t width) {
  const std::size_t indent = width < kNarrowHelp ? kNarrowIndent : kNameWidth;
  std::string out;
  std::string line = "  " + name;
  if (width < kNarrowHelp) out = std::exchange(line, "") + "\n";
  for (const std::string& word : words) {
    if (line.size() > indent && line.size() + 1 + word.size() > width) out += std::exchange(line, "") + "\n";
    if (line.size() < indent) line.resize(indent, ' ');
    line += ' ' + word;
  }
  return line.empty() ? out : out + line + "\n";
}

// Lines as they are, but for those that are too long, which go on a little to the right. What begins with
// spaces is laid out, or to be copied, and stays as it is.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream in(text);
  std::string out;
  for (std::string whole; std::getline(in, whole);) {
    if (whole.size() <= width || whole.starts_with(' ')) {
      out += whole + "\n";
      continue;
    }
    std::string line;
    for (const std::string& word : words_of(whole)) {
      if (line.size() > 2 && line.size() + 1 + word.size() > width) out += std::exchange(line, "  ") + "\n";
      if (!line.empty() && !line.ends_with(' ')) line += ' ';
      line += word;
    }
    out += line + "\n";
  }
  return out;
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

std::string everyday_options(const Command& program, const Command& command, std::size_t width) {
  std::string out = "\nOptions:\n";
  std::size_t n_others = 0;
  for (const Option& option : command.options()) {
    if (command.is_everyday(option)) {
      out += entry(names_of(option), description_of(option), width);
    } else {
      ++n_others;
    }
  }
  return out + "\n" +
         wrapped(program.name() + " " + command.name() + " --help-all lists " + std::to_string(n_others) +
                     " more options.",
                 width);
}

std::string options_in_groups(const Command& command, std::size_t width) {
  std::string out;
  for (const std::string& group : command.groups()) {
    out += "\n" + group + ":\n";
    for (const Option& option : command.options()) {
      if (option.group() == group) out += entry(names_of(option), description_of(option), width);
    }
  }
  return command.footer().empty() ? out : out + "\n" + wrapped(command.footer(), width);
}

}  // namespace

std::string help_text(const Command& program, const Command& command, bool all) {
  const std::size_t width = text_width();
  const bool is_program = &program == &command;
  std::string usage =
      "Usage: " + program.name() + (is_program ? " COMMAND" : " " + command.name()) + " [OPTIONS]";
  for (const Option& option : command.options()) {
    if (!option.positional().empty()) usage += " [" + option.value() + "]";
  }
  std::string out = wrapped(command.description(), width) + "\n" + wrapped(usage, width);
  for (const std::string& example : command.examples()) {
    out += (&example == &command.examples().front() ? "\nExamples:\n  " : "  ") + example + "\n";
  }
  if (is_program) out += "\nCommands:\n";
  for (const Command& sub : command.subcommands()) {
    out += entry(sub.name(), words_of(sub.description()), width);
  }
  return out + (all || !command.has_everyday() ? options_in_groups(command, width)
                                               : everyday_options(program, command, width));
}

}  // namespace bitnet::cli
