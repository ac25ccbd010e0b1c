#include "cli/help/command_list.h"

#include "cli/options/choices.h"

namespace bitnet::cli {

CommandInfo describe(const CLI::App& command) {
  CommandInfo info;
  info.name = command.get_name();
  info.description = command.get_description();
  info.groups = command.get_groups();
  info.footer = command.get_footer();
  for (const CLI::Option* option : command.get_options()) {
    OptionInfo o;
    for (const std::string& name : option->get_snames()) o.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) o.names.push_back("--" + name);
    if (option->get_items_expected_max() != 0) o.value = option->get_type_name();
    o.choices = choices_of(*option);
    o.may_repeat = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    o.group = option->get_group();
    o.description = option->get_description();
    o.default_value = option->get_default_str();
    o.variable = option->get_envname();
    info.options.push_back(std::move(o));
  }
  return info;
}

std::vector<CommandInfo> describe_commands(const CLI::App& app) {
  std::vector<CommandInfo> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(describe(*command));
  return commands;
}

}  // namespace bitnet::cli
