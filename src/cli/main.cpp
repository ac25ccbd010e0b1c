// The executable: reads the command line, runs one command, turns errors into one line and an exit code.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <new>
#include <string>

#include "bitnet/error.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/run_command.h"

namespace bitnet::cli {
namespace {

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

ExitCode fail(ExitCode code, const std::string& message) {
  spdlog::error("{}", one_line(message));
  return code;
}

// --help and --version are results; everything else that CLI11 throws is a wrong command line.
ExitCode report_parse(const CLI::App& app, const CLI::ParseError& e) {
  if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    if (dynamic_cast<const CLI::CallForVersion*>(&e) != nullptr) {
      write_stdout(std::string(e.what()) + "\n");
    } else {
      const auto chosen = app.get_subcommands();
      write_stdout(chosen.empty() ? app.help() : chosen.front()->help());
    }
    return ExitCode::done;
  }
  const auto chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "bitnet" : "bitnet " + chosen.front()->get_name();
  return fail(ExitCode::usage, std::string(e.what()) + "; see " + command + " --help");
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
  app.set_version_flag("--version", "bitnet " BITNET_VERSION);
  app.require_subcommand(1);
  const std::function<ExitCode()> run = add_run_command(app);
  return guarded([&] {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return report_parse(app, e);
    }
    return run();
  });
}

}  // namespace
}  // namespace bitnet::cli

int main(int argc, char** argv) { return static_cast<int>(bitnet::cli::run_main(argc, argv)); }
