#include "cli/help/completions_command.h"

#include <memory>
#include <string>

#include "bitnet/error.h"
#include "cli/help/completion_script.h"
#include "cli/help/man_page.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr const char* kForms = "bash, zsh, fish, man";

std::string script_for(const std::string& form, const Command& app) {
  if (form == "bash") return bash_completions(app);
  if (form == "zsh") return zsh_completions(app);
  if (form == "fish") return fish_completions(app);
  if (form == "man") return man_page(app);
  throw UsageError((form.empty() ? "no shell named" : "'" + form + "' is unknown") + "; choose from " +
                   kForms);
}

}  // namespace

std::function<ExitCode()> add_completions_command(Command& app) {
  auto form = std::make_shared<std::string>();
  Command& c = *app.add_subcommand("completions", "A script for a shell to complete commands");
  auto* shell = c.add_option("shell", *form, "bash, zsh or fish; man: the manual page instead");
  shell->type_name("SHELL")->group("Shell");
  shell->choices(kForms);
  add_help(c);
  c.footer(
      "bash: eval \"$(bitnet completions bash)\"      in ~/.bashrc\n"
      "zsh:  eval \"$(bitnet completions zsh)\"       in ~/.zshrc, after compinit\n"
      "fish: bitnet completions fish | source       in ~/.config/fish/config.fish");
  return [form, &app] {
    write_stdout(script_for(*form, app));
    return ExitCode::done;
  };
}

}  // namespace bitnet::cli
