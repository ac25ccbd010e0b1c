#include "cli/verify_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

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
#include "diagnostics/cpu_name.h"
#include "diagnostics/json_text.h"
#include "diagnostics/verify.h"
#include "kernels/kernels.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

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

// --json prints one object:
//   schema    "bitnet.verify"
//   version   1; it changes when a field changes its name or meaning, not when one is added
//   program, commit   that wrote it
//   model     "canary", or the file
//   cpu
//   backends  those of this build that this CPU can run; the first is the specification
//   passed    whether nothing differs
//   checks, failed   in number
//   results   one object for each row of the table: {backend, check, checks, failed, seconds}
//   failures  the first of each row: {backend, threads, chunk, where, what}; threads and chunk are 0 where a
//             kernel was compared by itself
//   prompts   of the canary's suite, as the first backend ran them: {prompt, chat, answer, f16_digest,
//             f32_digest, q8_digest}; the digests of the logits are hexadecimal and the same on every machine
//   steps     of the canary's passes over all prompts, as the first backend ran them: {step, digest}
std::string format_json(const VerifyReport& report, const std::string& model) {
  Json backends = Json::array();
  for (const kernels::Kernels* table : kernels::available()) backends.push_back(table->name);
  Json results = Json::array();
  for (const VerifyRow& r : report.rows) {
    results.push_back({{"backend", r.backend},
                       {"check", r.check},
                       {"checks", r.n_checks},
                       {"failed", r.n_failed},
                       {"seconds", r.seconds}});
  }
  Json failures = Json::array();
  for (const VerifyFailure& f : report.failures) {
    failures.push_back({{"backend", f.backend},
                        {"threads", f.n_threads},
                        {"chunk", f.chunk},
                        {"where", f.where},
                        {"what", f.what}});
  }
  Json prompts = Json::array();
  for (const SuiteResult& p : report.prompts) {
    prompts.push_back({{"prompt", p.prompt},
                       {"chat", p.chat},
                       {"answer", p.answer},
                       {"f16_digest", fmt::format("{:016x}", p.f16_digest)},
                       {"f32_digest", fmt::format("{:016x}", p.f32_digest)},
                       {"q8_digest", fmt::format("{:016x}", p.q8_digest)}});
  }
  Json steps = Json::array();
  for (const StepResult& s : report.steps)
    steps.push_back({{"step", s.step}, {"digest", fmt::format("{:016x}", s.digest)}});
  Json all = schema_json("bitnet.verify", 1);
  all.update({{"model", model},
              {"cpu", printable(cpu_name(), kMaxPrintedName)},
              {"backends", std::move(backends)},
              {"passed", report.n_failed() == 0},
              {"checks", report.n_checks()},
              {"failed", report.n_failed()},
              {"results", std::move(results)},
              {"failures", std::move(failures)},
              {"prompts", std::move(prompts)},
              {"steps", std::move(steps)}});
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string format_table(const VerifyReport& report, const std::string& model) {
  std::size_t backend_width = 7;
  std::size_t check_width = 5;
  for (const VerifyRow& r : report.rows) {
    backend_width = std::max(backend_width, r.backend.size());
    check_width = std::max(check_width, r.check.size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}}  {:>6}  {:>6}  {:>8}\n", "backend", backend_width, "check",
                                 check_width, "checks", "failed", "time");
  for (const VerifyRow& r : report.rows) {
    text += fmt::format("{:<{}}  {:<{}}  {:>6}  {:>6}  {:>6.2f} s\n", r.backend, backend_width, r.check,
                        check_width, r.n_checks, r.n_failed, r.seconds);
  }
  const std::size_t n_failed = report.n_failed();
  return text + (n_failed == 0
                     ? fmt::format("passed: all {} checks of {}\n", report.n_checks(), model)
                     : fmt::format("failed: {} of {} checks of {}\n", n_failed, report.n_checks(), model));
}

std::string describe(const VerifyFailure& f) {
  std::string line = f.backend;
  if (f.n_threads > 0) line += fmt::format(", {} {}", f.n_threads, f.n_threads == 1 ? "thread" : "threads");
  if (f.chunk > 0) line += fmt::format(", prefill chunk {}", f.chunk);
  return line + ", " + f.where + ": " + f.what;
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
  for (const VerifyFailure& f : report.failures) log_error("{}", describe(f));
  write_stdout(o.json ? format_json(report, name) : format_table(report, name));
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
