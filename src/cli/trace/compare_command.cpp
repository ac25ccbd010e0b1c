#include "cli/trace/compare_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/output_guard.h"
#include "cli/options/token_ids.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_line.h"
#include "cli/trace/compare_report.h"
#include "cli/trace/trace_run.h"
#include "diagnostics/compare_traces.h"
#include "diagnostics/trace_file.h"

namespace bitnet::cli {
namespace {

struct CompareOptions {
  ModelOptions model;
  std::vector<std::string> files;
  std::optional<std::string> ids;
  CompareRequest request;
  bool json = false;
  std::optional<std::string> report;
};

void add_trace_options(Command& c, CompareOptions& o) {
  auto* files =
      c.add_option("files", o.files, "Two traces, the reference last; or it alone: the model is run");
  files->type_name("FILE...");
  auto* ids = c.add_option("--ids", o.ids, "Token ids of a reference that does not tell them");
  ids->type_name("ID,...");
  auto* tensors = c.add_option(
      "--tensors", [&o](const std::string& list) { o.request.patterns = parse_tensor_patterns(list); },
      "These alone: names, * for any part; none: all");
  tensors->type_name("NAMES");
  for (Option* option : {files, ids, tensors}) option->group("Traces");
}

void add_limit(Command& c, const std::string& name, std::optional<double>& limit,
               const std::string& description) {
  const auto parse = [&limit](const std::string& text, const std::string& source) {
    limit = parse_number<double>(text, source);
  };
  c.add_option(name, parse, description)->type_name("E")->group("Thresholds");
}

void add_threshold_options(Command& c, CompareOptions& o) {
  CompareThresholds& t = o.request.thresholds;
  auto* cosine = add_number(c, "--min-cosine", t.min_cosine, "Lowest at any position");
  cosine->type_name("C")->group("Thresholds");
  add_limit(c, "--max-abs", t.max_abs_error, "Largest |tested - reference|; none: any");
  add_limit(c, "--max-rel", t.max_relative_error, "The same over the position's largest value");
  auto* match = add_number(c, "--min-match", t.min_token_match, "Share of greedy tokens, but for near-ties");
  match->type_name("R")->group("Thresholds");
  c.add_flag("--exact", t.exact, "Every value the same bits")->group("Thresholds");
}

void check_thresholds(const CompareThresholds& t) {
  const auto check = [](const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw UsageError(fmt::format("{} {} is not between {} and {}", name, digits_of(value), low, high));
  };
  check("--min-cosine", t.min_cosine, -1, 1);
  check("--min-match", t.min_token_match, 0, 1);
  if (t.max_abs_error) check("--max-abs", *t.max_abs_error, 0, 1e38);
  if (t.max_relative_error) check("--max-rel", *t.max_relative_error, 0, 1e38);
}

// With two traces nothing is run; a model that was named, and not by the environment, is a mistake.
void check_files(const CompareOptions& o) {
  if (o.files.empty() || o.files.size() > 2) {
    throw UsageError(
        "pass two traces, the reference last, or a reference alone to run the model on its tokens");
  }
  if (o.files.size() == 1) return;
  const char* from_environment = std::getenv("BITNET_MODEL");
  if (!o.model.model.empty() && (from_environment == nullptr || o.model.model != from_environment)) {
    throw UsageError("--model: with two traces no model is run; pass the reference alone");
  }
  if (o.ids) throw UsageError("--ids: with two traces no model is run; pass the reference alone");
}

void check_report(const CompareOptions& o) {
  std::vector<InputName> inputs{{o.model.model, "the model"}};
  for (const std::string& trace : o.files) inputs.push_back({trace, "one of the traces"});
  check_is_no_input(*o.report, "--report", inputs);
  check_replaces_no_model(*o.report, "--report", "report");
}

void check_ids(const std::vector<TokenId>& ids, const Model& model, const std::string& where) {
  for (const TokenId id : ids) {
    if (to_int(id) >= 0 && to_index(id) < model.info().vocab) continue;
    throw ModelError(where,
                     "token id " + std::to_string(to_int(id)) + " is outside the vocabulary of " +
                         std::to_string(model.info().vocab),
                     "pass the model that the reference is of with -m");
  }
}

std::vector<TokenId> ids_for(const CompareOptions& o, const TraceSource& reference) {
  if (o.ids) {
    try {
      return parse_token_ids(*o.ids, "--ids");
    } catch (const ModelError& e) {
      throw UsageError(e.what());  // the command line is what was wrong
    }
  }
  if (!reference.info().ids.empty()) return reference.info().ids;
  throw UsageError(reference.name() + " does not tell its token ids; pass them with --ids");
}

// The model's own trace of what the reference has. nullopt when interrupted.
std::optional<Trace> trace_like(const TraceSource& reference, const CompareOptions& o) {
  TraceRequest request;
  request.ids = ids_for(o, reference);
  request.n_greedy = reference.info().greedy.size();
  request.forced = reference.info().greedy;
  const Model model = load_model(o.model);
  check_ids(request.ids, model, o.ids ? "--ids" : reference.name());
  check_ids(request.forced, model, reference.name());
  std::vector<std::string> names;
  for (const TraceTensor& t : reference.tensors()) names.push_back(t.name);
  for (TraceTensor& t : traceable_tensors(model, request.ids.size())) {
    const bool wanted = o.request.patterns.empty() || matches_any(t.name, o.request.patterns);
    if (wanted && std::ranges::find(names, t.name) != names.end()) request.tensors.push_back(std::move(t));
  }
  return trace_model(model, o.model, request);
}

void note_what_was_compared(const CompareReport& report) {
  const TraceComparison& c = report.comparison;
  if (!c.only_in_reference.empty()) log_warn("{}: {}", report.reference.file, describe_left_out(c));
  const auto last_alone = std::ranges::find_if(c.tensors, &TensorComparison::last_row_alone);
  if (last_alone == c.tensors.end()) return;
  log_info("{} has a single row on one side: it is held against position {}, the last",
           printable(last_alone->name, kMaxPrintedName), last_alone->first_position);
}

ExitCode compare(CompareOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  check_thresholds(o.request.thresholds);
  check_files(o);
  std::optional<OutputFile> file;
  if (o.report) check_report(o);
  if (o.report) file.emplace(*o.report);  // what cannot be written is found now and not at the end
  const std::unique_ptr<TraceSource> reference = open_trace(o.files.back());
  std::unique_ptr<TraceSource> tested;
  std::optional<Trace> trace;
  if (o.files.size() == 1) {
    trace = trace_like(*reference, o);
    if (!trace) return ExitCode::interrupted;
    tested = view_trace(*trace, printable(trace->info.model, kMaxPrintedPath));
    o.request.forced = true;
  } else {
    tested = open_trace(o.files.front());
  }

  ProgressLine line(o.model.quiet);
  const auto progress = [&](std::size_t n_done, std::size_t n_tensors) {
    line.show(fmt::format("comparing: {} of {} tensors", n_done, n_tensors));
    return !interrupted();
  };
  std::optional<TraceComparison> comparison = compare_traces(*tested, *reference, o.request, progress);
  line.clear();
  if (!comparison) return ExitCode::interrupted;
  const CompareReport report{{trace ? "" : tested->name(), tested->info()},
                             {reference->name(), reference->info()},
                             o.request.thresholds,
                             std::move(*comparison)};
  note_what_was_compared(report);
  if (file) {
    file->write(format_compare_json(report));
    file->commit();
  }
  write_stdout(o.json ? format_compare_json(report) : format_compare_table(report));
  if (interrupted()) return ExitCode::interrupted;
  if (report.comparison.passes(o.request.thresholds)) return ExitCode::done;
  log_error("{}: {}; the reference is {}", tested->name(), describe_failure(report), reference->name());
  return ExitCode::check_failed;
}

}  // namespace

std::function<ExitCode()> add_compare_command(Command& app) {
  auto options = std::make_shared<CompareOptions>();
  Command* command = app.add_subcommand("compare", "Two traces: where and by how much they differ");
  add_trace_options(*command, *options);
  add_threshold_options(*command, *options);
  command->add_flag("--json", options->json, "One JSON object instead of a table")->group("Output");
  command->add_option("--report", options->report, "Write that object to a file, whatever the verdict")
      ->type_name("FILE")
      ->group("Output");
  options->model.add_to(*command);
  add_help(*command);
  command->footer(kTensorNames);
  return [options] { return compare(*options); };
}

}  // namespace bitnet::cli
