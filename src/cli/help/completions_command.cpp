#include "cli/help/completions_command.h"

#include <memory>
#include <string>

#include "bitnet/error.h"
#include "cli/help/completion_script.h"
#include "cli/help/man_page.h"
#include "cli/options/choices.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr const char* kForms = "bash, zsh, fish, man";

std::string script_for(const std::string& form, const CLI::App& app) {
  if (form == "bash") return bash_completions(app);
  if (form == "zsh") return zsh_completions(app);
  if (form == "fish") return fish_completions(app);
  if (form == "man") return man_page(app);
  throw UsageError((form.empty() ? "no shell named" : "'" + form + "' is unknown") + "; choose from " +
                   kForms);
}

}  // namespace

std::function<ExitCode()> add_completions_command(CLI::App& app) {
  auto form = std::make_shared<std::string>();
  CLI::App& c = *app.add_subcommand("completions", "A script for a shell to complete commands");
  auto* shell = c.add_option("shell", *form, "bash, zsh or fish; man: the manual page instead");
  shell->type_name("SHELL")->group("Shell");
  offer_choices(shell, kForms);
  c.set_help_flag("-h,--help", "Print this help and exit")->group("Messages");
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
