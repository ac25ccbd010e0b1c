#include "convert/convert.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <new>
#include <optional>
#include <system_error>

#include "base/all_finite.h"
#include "base/file_node.h"
#include "base/memory_room.h"
#include "base/no_signals.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/output_parts.h"
#include "convert/stream.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/read_vocabulary.h"

namespace bitnet::convert {
namespace {

// What each phase has of the time, as a rule.
constexpr double kWritten = 0.6;
constexpr double kProved = 0.95;

std::vector<TensorReport> report_tensors(const Source& source, const Plan& plan, const Proof& proof) {
  std::vector<TensorReport> reports;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorPlan& p = plan.tensors[i];
    const SourceTensor& t = source.tensors()[p.source];
    TensorReport report{.name = p.name,
                        .from = t.name == p.name ? t.origin : "",
                        .to = std::string(quant::info(p.type).name),
                        .way = p.way,
                        .is_lossless = p.is_lossless,
                        .dims = p.dims,
                        .to_bytes = p.n_bytes()};
    if (t.name == p.name) report.from_bytes = quant::info(t.type).n_bytes(t.rows(), t.cols());
    if (i < proof.tensors.size()) report.proof = proof.tensors[i];
    reports.push_back(std::move(report));
  }
  return reports;
}

// What was no GGUF file cannot be run beside it.
void run_result(const ConvertOptions& options, const std::string& result, LoadOptions load,
                const std::function<bool()>& keep_going, ConvertReport& report) {
  load.hidden_act.reset();
  load.i2s_layout.reset();
  try {
    const PromptRun run =
        run_prompt(Model::load(result, load), *options.verify_prompt, options.n_threads, keep_going);
    if (!all_finite(run.logits)) {
      report.failure = "the logits of the new file are not finite";
    }
    report.no_runs =
        "only GGUF files are run; the new file ran its " + std::to_string(run.ids.size()) + " tokens";
  } catch (const ModelError& e) {
    report.failure = std::string("the engine refuses the new file: ") + e.what();
  }
}

void run_both(const ConvertOptions& options, const Source& source, const std::string& result,
              const PhaseProgress& on_progress, ConvertReport& report) {
  const auto keep_going = [&] { return !on_progress || on_progress(kProved, "running"); };
  LoadOptions load = options.source_load;
  load.n_threads = options.n_threads;
  load.on_progress = [&](double) { return keep_going(); };
  const std::string file = source.runnable_file();
  std::optional<PromptRun> before;
  if (file.empty()) {
    run_result(options, result, load, keep_going, report);
    return;
  }
  try {
    before = run_prompt(Model::load(file, load), *options.verify_prompt, options.n_threads, keep_going);
  } catch (const ModelError& e) {
    report.no_runs = e.what();
    return;
  }
  load.hidden_act.reset();
  load.i2s_layout.reset();
  try {
    const PromptRun after = run_again(Model::load(result, load), *before, options.n_threads, keep_going);
    report.runs = compare_runs(*before, after);
  } catch (const ModelError& e) {
    report.failure = std::string("the engine refuses the new file: ") + e.what();
  }
}

void check_is_another(const std::string& report, const std::vector<std::string>& outputs) {
  std::error_code error;
  const auto place = [&](const std::string& path) { return std::filesystem::weakly_canonical(path, error); };
  for (const std::string& output : outputs) {
    if (place(output) != place(report)) continue;
    throw UsageError("--report " + printable(report, kMaxPrintedPath) +
                     " is a file of the model to write: give the report another name");
  }
}

// Nearly all of what a tensor says may be lost in a type that asked for no such size.
void warn_of_losses(const Plan& plan, const Proof& proof, std::vector<std::string>& warnings) {
  constexpr double kMostError = 0.5;  // of the RMS; rounding by absmean loses less
  for (std::size_t i = 0; i < proof.tensors.size(); ++i) {
    if (proof.tensors[i].rms_error <= kMostError) continue;
    const TensorPlan& p = plan.tensors[i];
    warnings.push_back("tensor " + printable(p.name, kMaxPrintedName) +
                       ": hardly anything is left of it in " + std::string(quant::info(p.type).name));
  }
}

// What a folder says of the model and its tokenizer, as the engine reads it: throws ModelError in the
// folder's name where it is refused; returns warnings.
std::vector<std::string> require_readable(const Source& source, const gguf::File& file) {
  std::optional<FileTokenizer> tokenizer;
  try {
    std::vector<std::string> notes;
    read_config(file, notes);
    tokenizer.emplace(read_tokenizer(file));
  } catch (const ModelError& e) {
    throw ModelError(printable(source.name(), kMaxPrintedPath),
                     "what it would become is refused by the engine: " + std::string(e.what()));
  }
  std::vector<std::string> warnings = tokenizer->warnings;
  try {
    require_text(source.name(), tokenizer->spelling);
  } catch (const ModelError& e) {
    warnings.emplace_back(e.what());
  }
  return warnings;
}

// All of the result; of what was no GGUF file also what the engine makes of its keys. A vocabulary takes a
// tenth of a second to build, and one thread: it is built beside the rest where a thread can be had.
Proof read_back(const Source& source, const Plan& plan, const Layout& layout, const std::string& result,
                ThreadPool& pool, const Progress& progress, ConvertReport& report) {
  const gguf::File file = gguf::File::open(result);
  std::future<std::vector<std::string>> warnings;
  if (source.runnable_file().empty()) {
    const NoSignals none;  // for the thread, as for the pool's
    const std::launch beside = std::launch::async | std::launch::deferred;
    warnings = std::async(pool.n_threads() > 1 ? beside : std::launch::deferred,
                          [&] { return require_readable(source, file); });
  }
  Proof proof = prove(source, plan, layout, file, pool, progress);
  report.failure = proof.failure;
  if (report.failure) return proof;
  warn_of_losses(plan, proof, report.warnings);
  if (!warnings.valid()) return proof;
  std::vector<std::string> found;
  try {
    found = warnings.get();
  } catch (const std::bad_alloc&) {  // there may be room without the thread's own, and that of the proof
    found = require_readable(source, file);
  }
  std::ranges::copy(found, std::back_inserter(report.warnings));
  return proof;
}

}  // namespace

bool ConvertReport::is_lossless() const {
  return std::ranges::all_of(tensors, [](const TensorReport& t) { return t.proof && t.proof->is_equal; });
}

void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs,
                   bool force) {
  for (const std::string& output : outputs) {
    const std::string shown = printable(output, kMaxPrintedPath);
    const std::optional<FileNode> node = file_node(output);
    std::error_code none;
    if (!node && !std::filesystem::exists(output, none)) continue;
    if (!node) {
      throw UsageError(shown +
                       ": is no regular file, and the result has to be read back: choose another name");
    }
    for (const std::string& input : inputs) {
      if (file_node(input) == node) {
        throw UsageError(shown + ": is what is converted, which is never written over: choose another name");
      }
    }
    if (!force) throw UsageError(shown + " is there already: pass --force to replace it, or another name");
  }
}

ConvertReport convert(const Source& source, const std::string& output, const ConvertOptions& options,
                      ThreadPool& pool, const PhaseProgress& on_progress) {
  const auto phase = [&](std::string_view name, double begin, double end) {
    return [&on_progress, name, begin, end](double fraction) {
      return !on_progress || on_progress(begin + (end - begin) * fraction, name);
    };
  };
  const Plan plan = make_plan(source, options.plan, pool, [&] { return phase("looking", 0, 0)(0); });
  const Layout layout = make_layout(plan, options.split);
  ConvertReport report{
      .input = source.name(),
      .outputs = output.empty() ? std::vector<std::string>{} : file_names(output, layout.parts.size()),
      .output_bytes = layout.n_bytes(),
      .is_written = false,
      .changes_values = std::ranges::any_of(source.repairs(), &Repair::changes_values),
      .repairs = source.repairs(),
      .warnings = plan.warnings,
      .tensors = {},
      .no_runs = {},
      .failure = {}};
  check_outputs(report.outputs, source.files(), options.force);
  if (options.report) check_is_another(*options.report, report.outputs);
  Proof proof;
  if (options.dry_run) {
    try_tensors(source, plan, pool, phase("trying", 0, 1));
  } else {
    require_room(address_space_room(), layout.n_bytes(), {"mapping the new file, which is read back"});
    OutputParts files(report.outputs, layout);
    write_tensors(source, plan, layout, files, pool, phase("writing", 0, kWritten));
    proof = read_back(source, plan, layout, files.readable_name(), pool,
                      phase("reading back", kWritten, kProved), report);
    if (!report.failure && options.verify_prompt) {
      run_both(options, source, files.readable_name(), on_progress, report);
    }
    if (!report.failure) {
      files.commit();
      report.is_written = true;
    }
  }
  report.tensors = report_tensors(source, plan, proof);
  return report;
}

}  // namespace bitnet::convert
