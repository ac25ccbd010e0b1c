#include "cli/help/completion_script.h"

#include <spdlog/fmt/fmt.h>

#include <string_view>
#include <vector>

namespace bitnet::cli {
namespace {

std::string joined_by(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string with_backslashes(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// In single quotes, for bash and zsh.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// --- bash

// What may follow an option, as the branch of a case.
std::string bash_value(const std::string& command, const Option& option) {
  std::vector<std::string> patterns;
  for (const std::string& name : option.names())
    patterns.push_back(in_quotes(fmt::format("{} {}", command, name)));
  const std::string action = !option.choices().empty()
                                 ? std::string(option.is_list() ? "_bitnet_list " : "_bitnet_words ") +
                                       in_quotes(joined_by(option.choices(), " "))
                             : option.takes_file() ? "_bitnet_files " + in_quotes(option.file_ending())
                                                   : ":";
  return fmt::format("    {}) {}; return ;;\n", joined_by(patterns, "|"), action);
}

// `words`: what else may stand there.
std::string bash_command(const std::string& name, const Command& command, std::vector<std::string> words) {
  const Option* files = nullptr;
  for (const Option& option : command.options()) {
    words.insert(words.end(), option.names().begin(), option.names().end());
    if (option.positional().empty()) continue;
    words.insert(words.end(), option.choices().begin(), option.choices().end());
    if (option.takes_file()) files = &option;
  }
  return fmt::format("    {}) words={}{} ;;\n", in_quotes(name), in_quotes(joined_by(words, " ")),
                     files != nullptr ? "; files=1 ending=" + in_quotes(files->file_ending()) : "");
}

constexpr std::string_view kBashHead = R"(# bash completion for bitnet; made by: bitnet completions bash

_bitnet_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
# what of a list stands before the last comma stays
_bitnet_list() {
  local before=''
  [[ $cur == *,* ]] && before=${cur%,*},
  compopt -o nospace 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${cur##*,}")
}
# those with the ending and directories, if there are any
_bitnet_files() {
  compopt -o filenames 2>/dev/null
  [[ -n $1 ]] && mapfile -t COMPREPLY < <(compgen -f -X "!*$1" -- "$cur"; compgen -d -- "$cur")
  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_bitnet() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' words='' files='' ending='' i
  # bash takes --name=value apart
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  COMPREPLY=()
  case "$command $prev" in
)";

constexpr std::string_view kBashTail = R"(  esac
  if [[ -n $files && $cur != -* ]]; then
    _bitnet_files "$ending"
  else
    _bitnet_words "$words"
  fi
}

complete -F _bitnet bitnet
)";

// --- zsh

// One option as _arguments wants it.
std::string zsh_option(const Option& option) {
  std::string spec;
  if (option.may_repeat() && !option.names().empty()) {
    spec = "'*'";
  } else if (option.names().size() > 1) {
    spec = in_quotes("(" + joined_by(option.names(), " ") + ")");
  }
  if (!option.names().empty()) {
    spec += option.names().size() > 1 ? "{" + joined_by(option.names(), ",") + "}" : option.names().front();
    spec += in_quotes("[" + with_backslashes(option.description(), "\\[]:") + "]");
  }
  if (option.is_flag()) return spec;
  const std::string choices = "(" + joined_by(option.choices(), " ") + ")";
  const std::string action =
      !option.choices().empty()
          ? (option.is_list() ? "_values -s , " + option.value() + " " + joined_by(option.choices(), " ")
                              : choices)
      : !option.takes_file()         ? " "
      : option.file_ending().empty() ? "_files"
                                     : "_files -g \"*" + option.file_ending() + "(-.)\"";
  const std::string value = ":" + with_backslashes(option.value(), "\\:") + ":";
  if (!option.names().empty()) spec += in_quotes(value + action);
  if (option.positional().empty()) return spec;
  if (!spec.empty()) spec += ' ';
  // No words, in place of a message that there are none: with that, zsh would list an option that is the only
  // one and not insert it.
  const std::string words = action == " " ? "()" : action;
  return spec + in_quotes((option.choices().empty() ? "*" : "1") + value + words);
}

// The call that completes some options.
std::string zsh_arguments(const Command& command, std::string_view indent) {
  std::string call = "_arguments";
  for (const Option& option : command.options())
    call += fmt::format(" \\\n{}  {}", indent, zsh_option(option));
  return call;
}

// --- fish

std::string fish_quoted(std::string_view text) { return "'" + with_backslashes(text, "\\'") + "'"; }

std::string fish_option(const Option& option, const std::string& condition) {
  const std::string head = "complete -c bitnet -n " + fish_quoted(condition);
  std::string line = head;
  for (const std::string& name : option.names()) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  const bool has_choices = !option.choices().empty();
  if (!option.is_flag()) line += option.takes_file() && !has_choices ? " -r -F" : " -x";
  const std::string choices = joined_by(option.choices(), " ");
  const std::string words = option.is_list() ? "(__fish_append , " + choices + ")"
                            : has_choices    ? choices
                            : option.file_ending().empty()
                                ? ""
                                : "(__fish_complete_suffix " + option.file_ending() + ")";
  // -k: in the order in which they come, the files of that ending first.
  const bool in_order = !option.file_ending().empty() && !has_choices;
  const std::string offered = words.empty() ? "" : (in_order ? " -k -a " : " -a ") + fish_quoted(words);
  const std::string tail = offered + " -d " + fish_quoted(option.description()) + "\n";
  std::string lines = option.names().empty() ? "" : line + tail;
  if (!option.positional().empty()) lines += head + (option.takes_file() ? " -F" : "") + tail;
  return lines;
}

}  // namespace

std::string bash_completions(const Command& app) {
  std::string values;
  std::string words;
  std::vector<std::string> names;
  for (const Command& command : app.subcommands()) {
    names.push_back(command.name());
    for (const Option& option : command.options()) {
      if (!option.names().empty() && !option.is_flag()) values += bash_value(command.name(), option);
    }
    words += bash_command(command.name(), command, {});
  }
  return fmt::format("{}{}  esac\n  case $command in\n{}{}{}", kBashHead, values,
                     bash_command("", app, names), words, kBashTail);
}

std::string zsh_completions(const Command& app) {
  std::string text =
      "#compdef bitnet\n# zsh completion for bitnet; made by: bitnet completions zsh\n\n_bitnet() {\n"
      "  local context state state_descr line\n  local -A opt_args\n  local -a commands\n  commands=(\n";
  for (const Command& command : app.subcommands()) {
    text += "    " + in_quotes(command.name() + ":" + with_backslashes(command.description(), "\\:")) + "\n";
  }
  std::string program = zsh_arguments(app, "  ");
  program.insert(std::string_view("_arguments").size(), " -C");
  text += "  )\n  " + program +
          " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n  case $state in\n";
  text += "    command) _describe command commands ;;\n    argument)\n      case $words[1] in\n";
  for (const Command& command : app.subcommands()) {
    text +=
        fmt::format("        {})\n          {} ;;\n", command.name(), zsh_arguments(command, "          "));
  }
  text += "      esac ;;\n  esac\n}\n\n";
  // Found by its name in $fpath it is called at once; otherwise it was sourced.
  return text +
         "if [[ $funcstack[1] == _bitnet ]]; then\n  _bitnet \"$@\"\nelse\n  compdef _bitnet bitnet\nfi\n";
}

std::string fish_completions(const Command& app) {
  std::string text =
      "# fish completion for bitnet; made by: bitnet completions fish\ncomplete -c bitnet -f\n";
  for (const Option& option : app.options()) text += fish_option(option, "__fish_use_subcommand");
  for (const Command& command : app.subcommands()) {
    text += fmt::format("complete -c bitnet -n __fish_use_subcommand -a {} -d {}\n", command.name(),
                        fish_quoted(command.description()));
    for (const Option& option : command.options()) {
      text += fish_option(option, "__fish_seen_subcommand_from " + command.name());
    }
  }
  return text;
}

}  // namespace bitnet::cli
