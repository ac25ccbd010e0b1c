#include "cli/options/parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"
#include "cli/options/list_text.h"

namespace bitnet::cli {
namespace {

using Values = std::map<const Option*, std::vector<std::string>>;  // of the options that were given

std::string way_to_help(const std::string& command) { return "; see " + command + " --help"; }

std::string joined_names(const Option& option) {
  std::string names = option.positional();
  for (const std::string& name : option.names()) names += (names.empty() ? "" : ",") + name;
  return names;
}

// CLI11 sorts the words; what they are worth is decided here.
void declare(CLI::App& app, const Command& command, Values& values) {
  app.set_help_flag();
  app.allow_extras();
  for (const Option& option : command.options()) {
    const auto keep = [&values, &option](const CLI::results_t& results) {
      values[&option] = results;
      return true;
    };
    CLI::Option* declared = app.add_option(joined_names(option), keep, "");
    declared->expected(option.is_flag() ? 0 : 1);
    if (option.is_flag()) continue;
    // One value each time. With more allowed CLI11 would take [a,b] for a list.
    declared->type_size(1)->allow_extra_args(false)->multi_option_policy(
        option.may_repeat() ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    if (option.may_repeat() && option.names().empty()) {
      declared->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
    }
  }
}

// Letters behind one dash that mean options one by one hide that a program has no such option: -hf is no
// help.
bool hides_help(const Command& command, std::string_view word) {
  if (word.size() < 3 || word[0] != '-' || word[1] == '-') return false;
  for (const char letter : word.substr(1)) {
    if (letter == 'h') return true;
    const auto is_flag = [&](const Option& option) {
      return option.is_flag() && std::ranges::count(option.names(), std::string{'-', letter}) != 0;
    };
    if (std::ranges::none_of(command.options(), is_flag)) return false;  // what follows is its value
  }
  return false;
}

// "--prompt: 1 required TEXT missing"
std::string describe(const CLI::ParseError& e) {
  const std::string_view what = e.what();
  const std::size_t missing = what.find(": 1 required ");
  if (missing == std::string_view::npos || !what.ends_with(" missing")) return std::string(what);
  return std::string(what.substr(0, missing)) + " needs a value";
}

void refuse_empty(const Option& option, const std::string& source, const std::string& value) {
  if (!value.empty() || option.may_be_empty() || option.is_flag()) return;
  throw UsageError(source + " '': the value is empty; give a " + option.value() + ", or leave it out");
}

// What excludes what, and no empty values; of several values the last, unless all are wanted.
void take_values(const Command& command, const Values& values, const std::string& name) {
  for (const Option& option : command.options()) {
    const auto given = values.find(&option);
    if (given == values.end()) {
      const char* variable = option.envname().empty() ? nullptr : std::getenv(option.envname().c_str());
      if (variable == nullptr) continue;
      refuse_empty(option, option.envname(), variable);
      option.take(variable, option.envname());
      continue;
    }
    for (const Option* other : option.excluded()) {
      if (!values.contains(other)) continue;
      throw UsageError(option.long_name() + " excludes " + other->long_name() + way_to_help(name));
    }
    const std::vector<std::string>& all = given->second;
    for (const std::string& value : option.may_repeat() ? std::span(all) : std::span(all).last(1)) {
      refuse_empty(option, option.long_name(), value);
      option.take(value, option.long_name());
    }
  }
}

// The command that the line names: its first word without a dash.
const Command* find_command(const Command& program, std::span<const char* const> words) {
  const auto word = std::ranges::find_if(words, [](std::string_view w) { return !w.starts_with('-'); });
  if (word == words.end()) return nullptr;
  const auto found = std::ranges::find(program.subcommands(), *word, &Command::name);
  return found == program.subcommands().end() ? nullptr : &*found;
}

bool asks(const Values& values, std::string_view name) {
  return std::ranges::any_of(values, [&](const auto& entry) { return entry.first->long_name() == name; });
}

}  // namespace

ParsedLine parse_line(const Command& program, std::span<const char* const> words) {
  const Command* chosen = find_command(program, words);
  const std::string name = chosen == nullptr ? program.name() : program.name() + " " + chosen->name();
  for (const std::string_view word : words) {
    if (word == "--") break;
    if (hides_help(chosen == nullptr ? program : *chosen, word))
      throw UsageError("unknown argument '" + std::string(word) + "'" + way_to_help(name));
  }
  Values values;
  CLI::App app;
  declare(app, program, values);
  CLI::App* command = chosen == nullptr ? nullptr : app.add_subcommand(chosen->name());
  if (command != nullptr) declare(*command, *chosen, values);
  // CLI11 takes the words in reverse.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    throw UsageError(describe(e) + way_to_help(name));
  }
  if (asks(values, "--help")) return {chosen == nullptr ? &program : chosen, true, false};
  if (asks(values, "--version")) return {&program, false, true};
  // What no command takes, and what stands before one, is left to the app.
  std::vector<std::string> unknown = command == nullptr ? app.remaining() : command->remaining();
  if (unknown.empty()) unknown = app.remaining();
  if (!unknown.empty()) {
    const bool is_command = chosen == nullptr && !unknown.front().starts_with('-');
    throw UsageError((is_command ? "unknown command '" : "unknown argument '") + unknown.front() + "'" +
                     way_to_help(name));
  }
  if (chosen == nullptr) throw UsageError("no command given" + way_to_help(name));
  take_values(*chosen, values, name);
  return {chosen, false, false};
}

}  // namespace bitnet::cli
