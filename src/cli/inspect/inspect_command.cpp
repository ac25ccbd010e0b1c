#include "cli/inspect/inspect_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "bitnet/error.h"
#include "bitnet/model.h"
#include "cli/help/real_model.h"
#include "cli/inspect/inspect_report.h"
#include "cli/options/builtin_model.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "diagnostics/head_effect.h"
#include "diagnostics/kv_effect.h"
#include "model/inspect/inspection.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kLongRead{500};  // from here on it is worth a progress bar

struct InspectCommandOptions {
  std::string model;
  bool all_tensors = false;
  bool json = false;
  bool int8_head = false;
  bool q8_cache = false;
  unsigned n_threads = 0;
  bool quiet = false;
  bool verbose = false;
};

// The other kinds have nothing to measure.
bool wants_int8(const std::string& name) {
  if (parse_head(name).kind == HeadKind::int8) return true;
  throw UsageError("--head " + name +
                   ": its logits are those of the stored head, bit for bit; to see what int8 does "
                   "to them, pass --head int8");
}

// Of the other types f16 is what q8 is compared with.
bool wants_q8(const std::string& name) {
  if (parse_kv_type(name) == KvType::q8) return true;
  throw UsageError("--kv-type " + name +
                   ": nothing to measure; to see what q8 does to the logits of the f16 cache, pass "
                   "--kv-type q8");
}

void add_options(Command& c, InspectCommandOptions& o) {
  auto* file = c.add_option("-m,--model,file", o.model, "GGUF file; none: the built-in canary");
  file->type_name("FILE")->envname("BITNET_MODEL")->file_ending(".gguf")->group("Model");
  c.add_flag("--tensors", o.all_tensors, "Every tensor by itself, not by kind")->group("Output");
  c.add_flag("--json", o.json, "Everything as JSON")->group("Output");
  auto* head = c.add_option(
      "--head", [&o](const std::string& name) { o.int8_head = wants_int8(name); },
      "int8: measure too what run --head int8 does to logits");
  head->type_name("KIND")->group("Output");
  head->choices("int8");
  auto* kv_type = c.add_option(
      "--kv-type", [&o](const std::string& name) { o.q8_cache = wants_q8(name); },
      "q8: measure too what run --kv-type q8 does to logits");
  kv_type->type_name("TYPE")->group("Output");
  kv_type->choices("q8");
  auto* threads = add_number(c, "-t,--threads", o.n_threads, "Threads; 0: one per physical core");
  threads->type_name("N")->envname("BITNET_THREADS")->group("Machine");
  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  add_help(c);
  c.example("bitnet inspect model.gguf");
  c.footer(
      "Says what is in the file, what is unusual about it, what the engine will do\n"
      "and what you should do. Exit code 3 if the file would be refused, or would\n"
      "load and write nonsense (I2_S in another layout than its key says).");
}

// What the int8 copy of the head, or the int8 cache, does to the logits of a file that loads. False when
// interrupted.
bool measure(const InspectionSource& source, unsigned n_threads, InspectionExtras& extras) {
  const auto keep_going = [] { return !interrupted(); };
  const LoadOptions options{.n_threads = n_threads,
                            .sparse = SparseMode::off,  // passes of more tokens leave nothing out
                            .on_progress = [&](double) { return keep_going(); }};
  const Model model = load(source, options);
  if (extras.wants_head) extras.head = measure_int8_head(model, n_threads, keep_going);
  if (extras.wants_kv && keep_going()) extras.kv = measure_q8_cache(model, n_threads, keep_going);
  return keep_going();
}

// Of a report that is longer than the terminal the verdict has left it; where there is an error it is the
// last line anyway.
void print_report(const Inspection& inspection, const InspectionExtras& extras, bool all_tensors) {
  std::string text = format_inspection(inspection, extras, all_tensors);
  winsize size{};
  const bool is_terminal = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  if (is_terminal && inspection.is_usable() && std::ranges::count(text, '\n') > size.ws_row - 2) {
    text += "\n" + format_verdict(inspection);
  }
  write_stdout(text);
}

ExitCode inspect_file(const InspectCommandOptions& o) {
  set_verbosity(o.quiet, o.verbose);
  InspectionSource source{.path = o.model, .bytes = {}};
  if (o.model.empty()) {
    say_builtin_model();
    source = {.path = kBuiltinModelName, .bytes = builtin_model()};
  } else if (!o.json) {  // which has an object for every file
    check_model_exists(o.model);
  }
  ProgressBar bar(o.quiet, "inspect", kLongRead);
  // Reading gains nothing from more threads than cores.
  const unsigned n_threads = threads_for_files(o.n_threads);
  Inspection inspection = inspect(source, n_threads, [&](double fraction) {
    bar.update(fraction);
    return !interrupted();
  });
  bar.clear();
  if (interrupted()) return ExitCode::interrupted;
  InspectionExtras extras{.wants_head = o.int8_head, .wants_kv = o.q8_cache};
  if ((o.int8_head || o.q8_cache) && !inspection.refusal) {
    if (!measure(source, n_threads, extras)) return ExitCode::interrupted;
    if (extras.head) inspection.findings.push_back(finding_of(*extras.head));
    if (extras.kv) inspection.findings.push_back(finding_of(*extras.kv));
  }
  if (o.json) {
    write_stdout(inspection_json(inspection, extras));
  } else if (inspection.is_parsed) {  // otherwise there is nothing to report but the error
    print_report(inspection, extras, o.all_tensors);
  }
  if (interrupted()) return ExitCode::interrupted;
  if (inspection.is_usable()) return ExitCode::done;
  for (const Finding& f : inspection.findings) {
    if (f.level != FindingLevel::error) continue;
    // The loader's own message names the file already.
    log_error("{}",
              inspection.refusal ? *inspection.refusal : inspection.file + ": " + f.what + "; " + f.advice);
    break;
  }
  return ExitCode::refused;
}

}  // namespace

std::function<ExitCode()> add_inspect_command(Command& app) {
  auto options = std::make_shared<InspectCommandOptions>();
  Command* command = app.add_subcommand("inspect", "Show what is in a model file and whether it is healthy");
  add_options(*command, *options);
  return [options] { return inspect_file(*options); };
}

}  // namespace bitnet::cli
