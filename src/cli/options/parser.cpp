#include "cli/options/parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"
#include "cli/options/suggestions.h"

namespace bitnet::cli {
namespace {

struct Given {
  std::vector<std::string> named;
  std::vector<std::string> unnamed;
};
using Values = std::map<const Option*, Given>;  // of the options that were given

std::string way_to_help(const std::string& command) { return "; see " + command + " --help"; }

[[noreturn]] void refuse_unknown(const std::string& what, std::string_view word, const std::string& advice,
                                 const std::string& command) {
  const std::string line = "unknown " + what + " '" + std::string(word) + "'";
  if (advice.empty()) throw UsageError(line + way_to_help(command));
  throw UsageError(line + "; " + advice + (advice.ends_with('?') ? " See " : "; see ") + command + " --help");
}

std::string joined_names(const Option& option) {
  std::string names;
  for (const std::string& name : option.names()) names += (names.empty() ? "" : ",") + name;
  return names;
}

// CLI11 sorts the words; what they are worth is decided here.
void declare(CLI::App& app, const Command& command, Values& values) {
  app.set_help_flag();
  app.allow_extras();
  for (const Option& option : command.options()) {
    // One value each time. With more allowed CLI11 would take [a,b] for a list.
    if (!option.names().empty()) {
      const auto keep = [&values, &option](const CLI::results_t& results) {
        values[&option].named = results;
        return true;
      };
      CLI::Option* declared = app.add_option(joined_names(option), keep, "");
      declared->expected(option.is_flag() ? 0 : 1);
      if (option.is_flag()) {
        declared->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // twice says no more than once
      } else {
        declared->type_size(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      }
    }
    if (!option.positional().empty()) {
      const auto keep = [&values, &option](const CLI::results_t& results) {
        values[&option].unnamed = results;
        return true;
      };
      CLI::Option* declared = app.add_option(option.positional(), keep, "")->expected(1)->type_size(1);
      if (option.may_repeat()) declared->expected(1, CLI::detail::expected_max_vector_size);
      declared->allow_extra_args(option.may_repeat());
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

// -ngl, -cnv, -ctk: of other programs, and here an -n or -c with a value that is no number.
bool is_of_others(std::string_view word) {
  constexpr std::string_view kTakeNumbers = "nct";
  return word.size() > 2 && word[0] == '-' && kTakeNumbers.find(word[1]) != std::string_view::npos &&
         is_other_programs_option(word);
}

// --json=false: what stands behind a flag would count for nothing.
void refuse_value_of_flag(const Command& command, std::string_view word) {
  const std::size_t equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string_view::npos) return;
  const std::string_view name = word.substr(0, equals);
  const auto is_meant = [&](const Option& option) {
    return option.is_flag() && std::ranges::count(option.names(), name) != 0;
  };
  if (std::ranges::none_of(command.options(), is_meant)) return;
  throw UsageError(std::string(name) + " takes no value, and is off where it is not given: leave '" +
                   std::string(word.substr(equals)) + "' out, or all of it");
}

// Letters glued together that would be taken for something else than was meant.
void refuse_glued(const Command& program, const Command& command, std::span<const char* const> words,
                  const std::string& name) {
  bool is_value = false;  // of the option before
  for (const std::string_view word : words) {
    if (word == "--" && !is_value) return;
    if (!is_value) refuse_value_of_flag(command, word);
    if (!is_value && (hides_help(command, word) || is_of_others(word))) {
      refuse_unknown("argument", word, advice_for_option(word, program, command), name);
    }
    is_value = !is_value && std::ranges::any_of(command.options(), [&](const Option& option) {
      return !option.is_flag() && std::ranges::count(option.names(), word) != 0;
    });
  }
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

void take(const Option& option, const Given& given) {
  if (!given.named.empty() && !given.unnamed.empty()) {
    throw UsageError("'" + given.unnamed.front() + "' stands beside " + option.long_name() +
                     "; give one of them");
  }
  if (option.is_only_once() && given.named.size() > 1) {
    throw UsageError(option.long_name() + " is given " + std::to_string(given.named.size()) +
                     " times; give it once");
  }
  const std::span<const std::string> named(given.named);
  for (const std::string& value :
       option.may_repeat() ? named : named.last(std::min<std::size_t>(named.size(), 1))) {
    refuse_empty(option, option.long_name(), value);
    option.take(value, option.long_name());
  }
  for (const std::string& value : given.unnamed) {
    refuse_empty(option, option.long_name(), value);
    option.take(value, option.positional());
  }
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
    take(option, given->second);
  }
}

// The command that the line names: its first word without a dash.
const Command* find_command(const Command& program, std::span<const char* const> words) {
  const auto word = std::ranges::find_if(words, [](std::string_view w) { return !w.starts_with('-'); });
  if (word == words.end()) return nullptr;
  const auto found = std::ranges::find(program.subcommands(), *word, &Command::name);
  return found == program.subcommands().end() ? nullptr : &*found;
}

bool takes_text(const Command& command) {
  return std::ranges::any_of(command.options(),
                             [](const Option& option) { return option.positional() == "prompt"; });
}

bool asks(const Values& values, std::string_view name) {
  return std::ranges::any_of(values, [&](const auto& entry) { return entry.first->long_name() == name; });
}

}  // namespace

ParsedLine parse_line(const Command& program, std::span<const char* const> words) {
  const Command* chosen = find_command(program, words);
  const std::string name = chosen == nullptr ? program.name() : program.name() + " " + chosen->name();
  refuse_glued(program, chosen == nullptr ? program : *chosen, words, name);
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
  const bool help_all = asks(values, "--help-all");
  if (help_all || asks(values, "--help")) {
    return {.command = chosen == nullptr ? &program : chosen, .help = true, .help_all = help_all};
  }
  if (asks(values, "--version")) return {.command = &program, .version = true};
  // What no command takes, and what stands before one, is left to the app.
  std::vector<std::string> unknown = command == nullptr ? app.remaining() : command->remaining();
  if (unknown.empty()) unknown = app.remaining();
  // CLI11 leaves the word that ends the options among the others.
  if (const auto mark = std::ranges::find(unknown, "--"); mark != unknown.end()) unknown.erase(mark);
  if (!unknown.empty()) {
    const std::string& word = unknown.front();
    if (word.starts_with('-')) {
      refuse_unknown("argument", word,
                     advice_for_option(word, program, chosen == nullptr ? program : *chosen), name);
    }
    if (chosen == nullptr) refuse_unknown("command", word, advice_for_command(word, program), name);
    const bool is_text = takes_text(*chosen);
    refuse_unknown("argument", word, is_text ? "a text of several words needs quotes around it" : "", name);
  }
  if (chosen != nullptr) take_values(*chosen, values, name);
  return {.command = chosen};
}

}  // namespace bitnet::cli
