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
std::string names_of(const CLI::Option& option) {
  if (option.get_lnames().empty()) return option.get_type_name();
  std::string names = option.get_snames().empty() ? "    " : "-" + option.get_snames().front() + ", ";
  names += "--" + option.get_lnames().front();
  const bool is_flag = option.get_items_expected_max() == 0;
  return is_flag ? names : names + " " + option.get_type_name();
}

// What is not to be broken across lines counts as a word.
std::vector<std::string> description_of(const CLI::Option& option) {
  std::vector<std::string> words = words_of(option.get_description());
  if (!option.get_default_str().empty()) words.push_back("[default: " + option.get_default_str() + "]");
  if (!option.get_envname().empty()) words.push_back("[env: " + option.get_envname() + "]");
  return words;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode /*mode*/) const {
  const std::vector<const CLI::App*> commands = app->get_subcommands({});
  std::string out =
      app->get_description() + "\n\nUsage: " + name + (commands.empty() ? "" : " COMMAND") + " [OPTIONS]";
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_positional()) out += " " + option->get_type_name();
  }
  out += "\n";
  if (!commands.empty()) out += "\nCommands:\n";
  for (const CLI::App* command : commands)
    out += entry(command->get_name(), words_of(command->get_description()));
  for (const std::string& group : app->get_groups()) {
    out += "\n" + group + ":\n";
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_group() == group) out += entry(names_of(*option), description_of(*option));
    }
  }
  const std::string footer = app->get_footer();
  return footer.empty() ? out : out + "\n" + footer + "\n";
}

}  // namespace bitnet::cli
