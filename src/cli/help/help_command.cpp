#include "cli/help/help_command.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/joined.h"
#include "bitnet/error.h"
#include "bitnet/version.h"
#include "cli/help/help.h"
#include "cli/options/suggestions.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

std::string version_line() {
  constexpr std::size_t kDigits = 12;  // of the commit: enough to find it by
  const std::string_view built_from = commit();
  const std::size_t dash = std::min(built_from.find('-'), built_from.size());
  return "bitnet " + std::string(version()) + " (" +
         std::string(built_from.substr(0, std::min(dash, kDigits))).append(built_from.substr(dash)) + ")\n";
}

}  // namespace

std::function<ExitCode()> add_help_command(Command& app) {
  auto name = std::make_shared<std::string>();
  const std::string names = joined(app.subcommands(), &Command::name);
  Command& c = *app.add_subcommand("help", "The commands, or the options of one");
  auto* word = c.add_option("command", *name, "One of those that bitnet help lists");
  word->type_name("COMMAND")->group("Command");
  word->choices(names);
  add_help(c);
  return [name, &app] {
    const auto found = std::ranges::find(app.subcommands(), *name, &Command::name);
    if (!name->empty() && found == app.subcommands().end()) {
      const std::string advice = advice_for_command(*name, app);
      throw UsageError("unknown command '" + *name + "'; " +
                       (advice.empty() ? "bitnet help lists those there are" : advice));
    }
    write_stdout(help_text(app, name->empty() ? app : *found));
    return ExitCode::done;
  };
}

std::function<ExitCode()> add_version_command(Command& app) {
  Command& c = *app.add_subcommand("version", "The version");
  add_help(c);
  return [] {
    print_version();
    return ExitCode::done;
  };
}

void print_version() { write_stdout(version_line()); }

}  // namespace bitnet::cli
