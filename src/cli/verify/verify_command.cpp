#include "cli/verify/verify_command.h"

#include <memory>
#include <optional>
#include <string>

#include "base/cpu_count.h"
#include "base/printable.h"
#include "cli/options/builtin_model.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/run/run_replay.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "cli/verify/verify_report.h"
#include "diagnostics/verify.h"
#include "kernels/kernels.h"

namespace bitnet::cli {
namespace {

struct VerifyCommandOptions {
  std::string model;
  unsigned n_threads = 0;
  std::optional<std::string> receipt;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

void add_options(Command& c, VerifyCommandOptions& o) {
  auto* file = c.add_option("-m,--model,file", o.model,
                            "Compare every kernel with the scalar one on this file's tensors; none: run the "
                            "built-in canary against its known answers");
  file->type_name("FILE")->envname("BITNET_MODEL")->file_ending(".gguf")->group("Model");
  auto* threads = add_number(c, "-t,--threads", o.n_threads, "With -m; 0: one per physical core");
  threads->type_name("N")->envname("BITNET_THREADS")->group("Machine");
  auto* receipt = c.add_option("--receipt", o.receipt,
                               "Run what this receipt tells of again, with -m if the model has moved");
  receipt->type_name("FILE")->group("Model");
  c.add_flag("--json", o.json, "The summary as JSON")->group("Output")->excludes(receipt);
  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  add_help(c);
  c.example("bitnet verify");
  c.example("bitnet verify model.gguf");
  c.footer(
      "Exit code 4 if anything differs by a single bit, with a line on stderr that\n"
      "names the backend, the threads, the prompt, step or tensor, and the difference.");
}

ExitCode verify(const VerifyCommandOptions& o) {
  set_verbosity(o.quiet, o.verbose);
  ModelOptions options;
  options.model = o.model;
  options.quiet = o.quiet;
  options.verbose = o.verbose;
  options.session.n_threads = o.n_threads;
  if (o.receipt) return replay_receipt(*o.receipt, options);
  if (!o.model.empty()) options.head = HeadChoice{HeadKind::screened};  // it is compared with all logits
  const Model model = load_model(options);
  const std::string name = o.model.empty() ? kBuiltinModelName : printable(o.model, kMaxPrintedPath);

  ProgressBar bar(o.quiet, "verify", {}, ProgressBar::InPipe::quarters);
  VerifyHooks hooks;
  hooks.keep_going = [] { return !interrupted(); };
  hooks.on_progress = [&](double fraction) { bar.update(fraction); };
  const VerifyReport report =
      o.model.empty()
          ? verify_canary(model, kernels::available(), hooks)
          : verify_model(model, kernels::available(), o.n_threads == 0 ? usable_cores() : o.n_threads, hooks);
  bar.clear();
  if (!report.complete) return ExitCode::interrupted;
  if (kernels::available().size() == 1 && !o.model.empty()) {
    log_warn("this CPU runs the scalar backend only, so there is nothing to compare it with");
  }
  for (const VerifyFailure& f : report.failures) log_error("{}", verify_failure_line(f));
  write_stdout(o.json ? verify_json(report, name) : verify_table(report, name));
  if (interrupted()) return ExitCode::interrupted;
  return report.n_failed() == 0 ? ExitCode::done : ExitCode::check_failed;
}

}  // namespace

std::function<ExitCode()> add_verify_command(Command& app) {
  auto options = std::make_shared<VerifyCommandOptions>();
  Command* command = app.add_subcommand("verify", "Check that this build computes right on this CPU");
  add_options(*command, *options);
  return [options] { return verify(*options); };
}

}  // namespace bitnet::cli
