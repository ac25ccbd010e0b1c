// The executable: reads the command line, runs one command, turns errors into one line and an exit code.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"
#include "cli/bench/bench_command.h"
#include "cli/chat/chat_command.h"
#include "cli/help/completions_command.h"
#include "cli/help/help.h"
#include "cli/inspect/inspect_command.h"
#include "cli/perplexity_command.h"
#include "cli/run/run_command.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/tokenize_command.h"
#include "cli/trace/compare_command.h"
#include "cli/trace/trace_command.h"
#include "cli/verify_command.h"

namespace bitnet::cli {
namespace {

// Arguments are quoted in messages; nothing in them may break the line or reach the terminal as a command.
std::string one_line(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
  }
  return text;
}

ExitCode fail(ExitCode code, const std::string& message) {
  if (interrupted()) return ExitCode::interrupted;  // what failed did so for that reason
  spdlog::error("{}", one_line(message));
  return code;
}

// What is wrong with a command line.
std::string describe(const CLI::App& app, const CLI::ParseError& e) {
  const auto chosen = app.get_subcommands();
  // What no command takes, and what stands before one, is left to the app.
  std::vector<std::string> unknown = chosen.empty() ? app.remaining() : chosen.front()->remaining();
  if (unknown.empty()) unknown = app.remaining();
  if (!unknown.empty()) {
    const bool is_command = chosen.empty() && !unknown.front().starts_with('-');
    return std::string(is_command ? "unknown command '" : "unknown argument '") + unknown.front() + "'";
  }
  if (chosen.empty()) return "no command given";
  // "--prompt: 1 required TEXT missing"
  const std::string_view what = e.what();
  const std::size_t missing = what.find(": 1 required ");
  if (missing == std::string_view::npos || !what.ends_with(" missing")) return std::string(what);
  return std::string(what.substr(0, missing)) + " needs a value";
}

// --help and --version are results; everything else that CLI11 throws is a wrong command line.
ExitCode report_parse(const CLI::App& app, const CLI::ParseError& e) {
  if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    if (dynamic_cast<const CLI::CallForVersion*>(&e) != nullptr) {
      write_stdout(std::string(e.what()) + "\n");
    } else {
      write_stdout(app.help());  // of the command, if one was named
    }
    return ExitCode::done;
  }
  const auto chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "bitnet" : "bitnet " + chosen.front()->get_name();
  return fail(ExitCode::usage, describe(app, e) + "; see " + command + " --help");
}

ExitCode guarded(const std::function<ExitCode()>& action) {
  try {
    return action();
  } catch (const ModelError& e) {
    return fail(ExitCode::refused, e.what());
  } catch (const UsageError& e) {
    return fail(ExitCode::usage, e.what());
  } catch (const Error& e) {
    return fail(ExitCode::failed, e.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::failed, "out of memory; free some, or pass a smaller --ctx-size");
  } catch (const std::exception& e) {
    return fail(ExitCode::failed, e.what());
  }
}

ExitCode run_main(int argc, char** argv) {
  start_logging();
  catch_interrupts();
  CLI::App app("Runs ternary (1.58-bit) language models on CPUs", "bitnet");
  app.formatter(std::make_shared<HelpFormatter>());
  app.option_defaults()->take_last();  // of an option that is given twice
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", "bitnet " BITNET_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  std::map<std::string, std::function<ExitCode()>> commands;
  commands["run"] = add_run_command(app);
  commands["chat"] = add_chat_command(app);
  commands["bench"] = add_bench_command(app);
  commands["trace"] = add_trace_command(app);
  commands["compare"] = add_compare_command(app);
  commands["perplexity"] = add_perplexity_command(app);
  commands["inspect"] = add_inspect_command(app);
  commands["verify"] = add_verify_command(app);
  commands["tokenize"] = add_tokenize_command(app);
  commands["detokenize"] = add_detokenize_command(app);
  commands["completions"] = add_completions_command(app);
  app.footer("bitnet COMMAND --help lists the options of a command.");
  return guarded([&] {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return report_parse(app, e);
    }
    return commands.at(app.get_subcommands().front()->get_name())();
  });
}

}  // namespace
}  // namespace bitnet::cli

int main(int argc, char** argv) {
  using bitnet::cli::ExitCode;
  try {
    return static_cast<int>(bitnet::cli::run_main(argc, argv));
  } catch (...) {  // not even a message could be made
    return static_cast<int>(ExitCode::failed);
  }
}
