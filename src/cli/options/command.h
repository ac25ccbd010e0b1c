// The commands and their options, as plain data: what the parser, the help, the manual page and the shells'
// completions are made of. Which library reads a command line is known to parser.cpp alone.
#pragma once

#include <concepts>
#include <deque>
#include <functional>
#include <initializer_list>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// Filled in by chaining: command.add_option(...)->type_name("FILE")->group("Model").
class Option {
 public:
  // Is given each value, and what it came from, for messages: the option's name, its variable's, or for a
  // value without a name the word that stands for it ("prompt"). Throws UsageError.
  using Take = std::function<void(const std::string& value, const std::string& source)>;

  // `names` have commas between them: "-m,--model", and a word without a dash for what may stand there
  // without a name: "-m,--model,file".
  Option(std::string_view names, std::string description, Take take, bool is_flag);

  Option* type_name(std::string name) { return value_ = std::move(name), this; }
  Option* group(std::string name) { return group_ = std::move(name), this; }
  Option* description(std::string text) { return description_ = std::move(text), this; }
  Option* default_str(std::string text) { return default_ = std::move(text), this; }
  Option* envname(std::string name) { return variable_ = std::move(name), this; }
  Option* excludes(Option* other);  // and the other this one
  // The names that the value may have, "f16, f32": offered by completions, checked by whoever takes the
  // value.
  Option* choices(std::string_view names);
  // May stand there without its name too; `word` stands for it in messages: "file".
  Option* may_stand_alone(std::string word) { return positional_ = std::move(word), this; }
  // The value is a list with commas, and each part one of the choices.
  Option* takes_list() { return is_list_ = true, this; }
  // Files that it takes end so: offered before others by completions.
  Option* file_ending(std::string ending) { return file_ending_ = std::move(ending), this; }
  Option* take_all() { return may_repeat_ = true, this; }
  // One that is content rather than a setting: to drop the first would be to lose it.
  Option* only_once() { return only_once_ = true, this; }
  // Unless allowed, an empty value is a mistake: of a shell variable that isn't set, most likely.
  Option* allow_empty() { return may_be_empty_ = true, this; }

  const std::vector<std::string>& names() const { return names_; }  // with their dashes, short ones first
  const std::string& positional() const { return positional_; }     // empty: it needs its name
  std::string long_name() const { return names_.empty() ? positional_ : names_.back(); }
  const std::string& value() const { return value_; }  // what it takes: "FILE"; empty: nothing, it is a flag
  const std::string& group() const { return group_; }
  const std::string& description() const { return description_; }
  const std::string& default_str() const { return default_; }
  const std::string& envname() const { return variable_; }
  const std::vector<std::string>& choices() const { return choices_; }
  const std::vector<const Option*>& excluded() const { return excluded_; }
  bool is_list() const { return is_list_; }
  const std::string& file_ending() const { return file_ending_; }
  bool may_repeat() const { return may_repeat_; }  // otherwise the last one counts
  bool is_only_once() const { return only_once_; }
  bool may_be_empty() const { return may_be_empty_; }
  bool is_flag() const { return is_flag_; }
  bool takes_file() const { return value_.starts_with("FILE"); }
  void take(const std::string& value, const std::string& source) const { take_(value, source); }

 private:
  std::vector<std::string> names_;
  std::string positional_;
  std::string value_;
  std::string group_ = "Options";
  std::string description_;
  std::string default_;
  std::string variable_;
  std::vector<std::string> choices_;
  std::vector<const Option*> excluded_;
  std::string file_ending_;
  bool is_list_ = false;
  bool may_repeat_ = false;
  bool only_once_ = false;
  bool may_be_empty_ = false;
  bool is_flag_ = false;
  Take take_;
};

// Variables that are named for options must stay where they are until the command line is parsed.
class Command {
 public:
  Command(std::string name, std::string description)
      : name_(std::move(name)), description_(std::move(description)) {}

  Option* add_option(std::string_view names, std::string& value, std::string description);
  Option* add_option(std::string_view names, std::optional<std::string>& value, std::string description);
  // May be given several times; one without a name takes all words that are left.
  Option* add_option(std::string_view names, std::vector<std::string>& values, std::string description);
  template <std::invocable<const std::string&> Take>
  Option* add_option(std::string_view names, Take take, std::string description) {
    return add(names, std::move(description),
               [take = std::move(take)](const std::string& value, const std::string&) { take(value); });
  }
  template <std::invocable<const std::string&, const std::string&> Take>
  Option* add_option(std::string_view names, Take take, std::string description) {
    return add(names, std::move(description), std::move(take));
  }
  Option* add_flag(std::string_view names, bool& value, std::string description);
  Option* get_option(std::string_view name);  // "--head"

  Command* add_subcommand(std::string name, std::string description);
  Command* footer(std::string text) { return footer_ = std::move(text), this; }
  Command* example(std::string line) { return examples_.push_back(std::move(line)), this; }
  // The options that --help shows, by their long names, the others being for --help-all. Without: all.
  Command* everyday(std::initializer_list<std::string_view> long_names);

  const std::string& name() const { return name_; }
  const std::string& description() const { return description_; }
  const std::string& footer() const { return footer_; }
  const std::vector<std::string>& examples() const { return examples_; }
  bool has_everyday() const { return !everyday_.empty(); }
  bool is_everyday(const Option& option) const;
  const std::deque<Option>& options() const { return options_; }
  const std::list<Command>& subcommands() const { return subcommands_; }
  std::vector<std::string> groups() const;  // of the options, in order

 private:
  Option* add(std::string_view names, std::string description, Option::Take take, bool is_flag = false);

  std::string name_;
  std::string description_;
  std::string footer_;
  std::vector<std::string> examples_;
  std::vector<std::string> everyday_;
  std::deque<Option> options_;  // their addresses last
  std::list<Command> subcommands_;
};

// --help and --help-all; every command has them.
void add_help(Command& command, const std::string& group = "Messages");

}  // namespace bitnet::cli
