#include "cli/options/command.h"

#include <algorithm>
#include <cassert>

#include "cli/options/list_text.h"

namespace bitnet::cli {

Option::Option(std::string_view names, std::string description, Take take, bool is_flag)
    : description_(std::move(description)), is_flag_(is_flag), take_(std::move(take)) {
  if (!is_flag) value_ = "TEXT";
  for (const std::string& name : split_list(names)) {
    if (name.starts_with('-')) {
      names_.push_back(name);
    } else {
      positional_ = name;
    }
  }
}

Option* Option::choices(std::string_view names) {
  choices_ = split_list(names);
  for (std::string& name : choices_) name.erase(0, name.find_first_not_of(' '));
  return this;
}

Option* Option::excludes(Option* other) {
  excluded_.push_back(other);
  other->excluded_.push_back(this);
  return this;
}

Option* Command::add(std::string_view names, std::string description, Option::Take take, bool is_flag) {
  return &options_.emplace_back(names, std::move(description), std::move(take), is_flag);
}

Option* Command::add_option(std::string_view names, std::string& value, std::string description) {
  return add(names, std::move(description),
             [&value](const std::string& given, const std::string&) { value = given; });
}

Option* Command::add_option(std::string_view names, std::optional<std::string>& value,
                            std::string description) {
  return add(names, std::move(description),
             [&value](const std::string& given, const std::string&) { value = given; });
}

Option* Command::add_option(std::string_view names, std::vector<std::string>& values,
                            std::string description) {
  const auto take = [&values](const std::string& given, const std::string&) { values.push_back(given); };
  return add(names, std::move(description), take)->take_all();
}

Option* Command::add_flag(std::string_view names, bool& value, std::string description) {
  return add(
      names, std::move(description), [&value](const std::string&, const std::string&) { value = true; },
      /*is_flag=*/true);
}

Option* Command::get_option(std::string_view name) {
  const auto found = std::ranges::find_if(
      options_, [&](const Option& option) { return std::ranges::count(option.names(), name) != 0; });
  assert(found != options_.end());
  return &*found;
}

Command* Command::add_subcommand(std::string name, std::string description) {
  return &subcommands_.emplace_back(std::move(name), std::move(description));
}

std::vector<std::string> Command::groups() const {
  std::vector<std::string> groups;
  for (const Option& option : options_) {
    if (std::ranges::find(groups, option.group()) == groups.end()) groups.push_back(option.group());
  }
  return groups;
}

Command* Command::everyday(std::initializer_list<std::string_view> long_names) {
  everyday_.assign(long_names.begin(), long_names.end());
  return this;
}

bool Command::is_everyday(const Option& option) const {
  return everyday_.empty() || std::ranges::count(everyday_, option.long_name()) != 0;
}

void add_help(Command& command, const std::string& group) {
  static bool ignored = false;  // the parser answers it
  command.add_flag("-h,--help", ignored, "Print this help and exit")->group(group);
  command.add_flag("--help-all", ignored, "Print the help with every option")->group(group);
}

}  // namespace bitnet::cli
