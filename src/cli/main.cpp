// The executable: reads the command line, runs one command, turns errors into one line and an exit code.

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapping_list.h"
#include "base/memory_room.h"
#include "bitnet/error.h"
#include "cli/batch/batch_command.h"
#include "cli/bench/bench_command.h"
#include "cli/chat/chat_command.h"
#include "cli/convert/convert_command.h"
#include "cli/help/completions_command.h"
#include "cli/help/help.h"
#include "cli/help/help_command.h"
#include "cli/help/real_model.h"
#include "cli/inspect/inspect_command.h"
#include "cli/options/parser.h"
#include "cli/perplexity_command.h"
#include "cli/run/run_command.h"
#include "cli/serve/serve_command.h"
#include "cli/synth_command.h"
#include "cli/terminal/error_text.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/file_faults.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/tokenize_command.h"
#include "cli/trace/compare_command.h"
#include "cli/trace/trace_command.h"
#include "cli/verify/verify_command.h"

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
  log_error("{}", one_line(message));
  return code;
}

// Where a figure was known in advance, the library has told it.
std::string out_of_memory() {
  const std::string left = memory_left();
  return "out of memory" + (left.empty() ? "" : ": more was needed than the " + left) +
         "; free some, or allow this process more";
}

ExitCode guarded(const std::function<ExitCode()>& action) {
  try {
    return action();
  } catch (const BrokenPipe& e) {
    if (!interrupted()) die_of_broken_pipe();
    return fail(ExitCode::failed, e.what());
  } catch (const ModelError& e) {
    return fail(ExitCode::refused, e.what());
  } catch (const UsageError& e) {
    return fail(ExitCode::usage, error_text(e));
  } catch (const Error& e) {
    return fail(ExitCode::failed, e.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::failed, out_of_memory());
  } catch (const std::exception& e) {
    return fail(ExitCode::failed, e.what());
  }
}

ExitCode run_main(int argc, char** argv) {
  start_logging();
  catch_interrupts();
  catch_file_faults();
  Command program("bitnet", "Runs ternary (1.58-bit) language models on CPUs");
  add_help(program, "Options");
  bool version = false;
  program.add_flag("--version", version, "Print the version and exit");
  program.footer("bitnet COMMAND --help lists the options of a command.\n\n" + real_model_help());
  std::map<std::string, std::function<ExitCode()>> commands;
  commands["run"] = add_run_command(program);
  commands["chat"] = add_chat_command(program);
  commands["batch"] = add_batch_command(program);
  commands["serve"] = add_serve_command(program);
  commands["bench"] = add_bench_command(program);
  commands["trace"] = add_trace_command(program);
  commands["compare"] = add_compare_command(program);
  commands["perplexity"] = add_perplexity_command(program);
  commands["inspect"] = add_inspect_command(program);
  commands["convert"] = add_convert_command(program);
  commands["synth"] = add_synth_command(program);
  commands["verify"] = add_verify_command(program);
  commands["tokenize"] = add_tokenize_command(program);
  commands["detokenize"] = add_detokenize_command(program);
  commands["completions"] = add_completions_command(program);
  commands["help"] = add_help_command(program);
  commands["version"] = add_version_command(program);
  const ExitCode code = guarded([&] {
    const std::vector<const char*> words(argv + std::min(argc, 1), argv + argc);
    const ParsedLine line = parse_line(program, words);
    if (line.version) {
      print_version();
    } else if (line.help) {
      write_stdout(help_text(program, *line.command, line.help_all));
    } else if (line.command == nullptr) {
      tell(help_text(program, program));  // on stderr: a script that left the command out has no result
      throw UsageError("no command given; the list above has them");
    } else {
      return commands.at(line.command->name())();
    }
    return ExitCode::done;
  });
  const std::optional<std::string> changed = file_changed_while_mapped();
  if (!changed || code == ExitCode::interrupted) return code;
  log_error(
      "{}: was written to while it was in use, and what came of it may be wrong; leave it alone and run "
      "again",
      *changed);
  return code == ExitCode::done ? ExitCode::failed : code;
}

}  // namespace
}  // namespace bitnet::cli

int main(int argc, char** argv) {
  using bitnet::cli::ExitCode;
  try {
    return static_cast<int>(bitnet::cli::run_main(argc, argv));
  } catch (...) {  // not even a message could be made
    constexpr std::string_view kMessage = "error: out of memory; free some, or allow this process more\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    return static_cast<int>(ExitCode::failed);
  }
}
