#include "cli/convert/convert_command.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "base/output_file.h"
#include "base/printable.h"
#include "base/seconds_since.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "cli/convert/convert_report.h"
#include "cli/help/real_model.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/output_guard.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "convert/convert.h"
#include "convert/open_source.h"
#include "convert/target_types.h"
#include "model/i2s/layout_judge.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kLongConversion{500};  // from here on it is worth a progress bar

struct ConvertCommandOptions {
  std::string input;
  std::optional<std::string> output;
  std::optional<std::string> report;
  convert::ConvertOptions convert;
  convert::SourceOptions source;
  bool no_repair = false;
  bool force = false;
  bool dry_run = false;
  unsigned n_threads = 0;
  bool quiet = false;
  bool verbose = false;
};

quant::TensorType parse_target(const std::string& name, const std::string& source) {
  if (const auto type = convert::find_target_type(name)) return *type;
  throw UsageError(source + " '" + name + "' is unknown; choose from " + convert::target_type_names());
}

// "500M", "2G": of 10^6 and 10^9 bytes, as gguf-split counts them.
std::uint64_t parse_size(const std::string& text, const std::string& source) {
  constexpr std::uint64_t kMega = 1'000'000;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60;
  const bool is_giga = text.ends_with('G');
  if (!is_giga && !text.ends_with('M'))
    throw UsageError(source + " '" + text + "': give a size such as 500M or 2G");
  const auto n = parse_number<std::uint64_t>(std::string_view(text).substr(0, text.size() - 1), source);
  const std::uint64_t unit = is_giga ? 1000 * kMega : kMega;
  if (n == 0 || n > kMost / unit)
    throw UsageError(source + " " + text + " is not a size that a file can have");
  return n * unit;
}

void parse_quantize(const std::string& name, convert::PlanOptions& plan) {
  if (name != "absmean") throw UsageError("--quantize '" + name + "' is unknown; there is absmean");
  plan.absmean = true;
}

void add_type(Command& c, std::string_view name, std::optional<quant::TensorType>& type,
              const std::string& description) {
  const auto take = [&type](const std::string& text, const std::string& source) {
    type = parse_target(text, source);
  };
  Option* option = c.add_option(name, take, description)->type_name("TYPE")->default_str("as it is");
  option->choices(convert::target_type_names());
  option->group("Types");
}

void add_output_options(Command& c, ConvertCommandOptions& o) {
  c.add_option("-m,--model,file", o.input, "A GGUF file, a part of one, or a Hugging Face folder")
      ->type_name("FILE")
      ->file_ending(".gguf")
      ->group("Files");
  auto* output = c.add_option("-o,--output", o.output, "The file to write")->type_name("FILE");
  output->file_ending(".gguf")->group("Files");
  c.add_flag("--force", o.force, "Replace a file that is there")->group("Files");
  auto* size = c.add_option(
      "--split",
      [&o](const std::string& text, const std::string& source) {
        o.convert.split.part_bytes = parse_size(text, source);
      },
      "Several files, OUT-00001-of-0000N.gguf, of about SIZE at most: 500M, 2G");
  size->type_name("SIZE")->group("Files");
  auto* parts = c.add_option(
      "--parts",
      [&o](const std::string& text, const std::string& source) {
        o.convert.split.n_parts = parse_number<std::size_t>(text, source);
        if (o.convert.split.n_parts == 0) throw UsageError(source + " 0: give 1 or more");
      },
      "Several files, N of them");
  parts->type_name("N")->group("Files")->excludes(size);
  c.add_flag("--dry-run", o.dry_run, "Say what would be done, and write nothing")->group("Files");
}

void add_options(Command& c, ConvertCommandOptions& o) {
  add_output_options(c, o);
  add_type(c, "--type", o.convert.plan.type, "Of the layers' matrices: " + convert::target_type_names());
  add_type(c, "--head", o.convert.plan.head, "Of the LM head");
  add_type(c, "--embedding", o.convert.plan.embedding, "Of the token embedding");
  c.add_option(
       "--quantize", [&o](const std::string& name) { parse_quantize(name, o.convert.plan); },
       "absmean: round what a ternary type cannot hold, with one scale a tensor")
      ->type_name("HOW")
      ->choices("absmean")
      ->group("Types");

  c.add_flag("--no-repair", o.no_repair, "Leave metadata, scales and layout that are known to be wrong")
      ->group("Source");
  auto* act = c.add_option(
      "--hidden-act", [&o](const std::string& name) { o.source.hidden_act = parse_hidden_act(name); },
      "Write down that the activation is relu2 or silu");
  act->type_name("ACT")->default_str("auto")->group("Source");
  act->choices("auto, relu2, silu");
  auto* layout = c.add_option(
      "--i2s-layout", [&o](const std::string& name) { o.source.i2s_layout = parse_i2s_layout(name); },
      "How I2_S lies in the source: " + i2s_layout_names());
  layout->type_name("LAYOUT")->default_str("auto")->group("Source");
  layout->choices("auto, " + i2s_layout_names());

  c.add_option("--report", o.report, "Write what was done and proved as JSON")
      ->type_name("FILE")
      ->group("Proof");
  c.add_option("--verify-run", o.convert.verify_prompt, "Run this prompt through both files too")
      ->type_name("PROMPT")
      ->group("Proof");

  auto* threads = add_number(c, "-t,--threads", o.n_threads, "Threads; 0: one per physical core");
  threads->type_name("N")->envname("BITNET_THREADS")->group("Machine");
  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  add_help(c);
  c.example("bitnet convert model.gguf -o model-tq2_0.gguf --type tq2_0 --head q6_k");
  c.example("bitnet convert model-00001-of-00003.gguf -o model.gguf");
  c.example("bitnet convert Falcon3-7B-Instruct-1.58bit -o falcon3.gguf");
  c.everyday({"--model", "--output", "--force", "--split", "--dry-run", "--type", "--head", "--embedding",
              "--quantize", "--no-repair", "--report", "--verify-run", "--help"});
  c.footer(
      "What is written is read back and compared with what it came from, value by\n"
      "value, before it gets its name. Exit code 4 if it should be the same and isn't.");
}

void check(const ConvertCommandOptions& o) {
  if (o.input.empty()) {
    // What every other command runs may be far from what is to be written anew.
    const bool has_default = std::getenv("BITNET_MODEL") != nullptr;
    throw UsageError(std::string("nothing to convert: pass its name") +
                     (has_default ? "; BITNET_MODEL is not taken for it" : ""));
  }
  if (!o.output && !o.dry_run) throw UsageError("no file to write: pass -o FILE");
  if (o.output == "-") throw UsageError("-o -: the result is read back, and needs a file: name one");
  if (o.report == "-") throw UsageError("--report -: name a file, or /dev/stderr");
}

void check_report(const std::string& path, const convert::Source& source, bool force) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    convert::check_outputs({path}, source.files(), /*force=*/true);
    if (!force)
      check_replaces_json(path, "--report", "report", "pass --force to replace it, or another name");
  }
  OutputFile::check(path);
}

// Where it may be written to is known before the work; how many parts there are is not.
void check_places(const ConvertCommandOptions& o, const convert::Source& source) {
  const bool is_split = o.convert.split.part_bytes > 0 || o.convert.split.n_parts > 1;
  if (o.output && !is_split) convert::check_outputs({*o.output}, source.files(), o.force);
  if (o.output && !is_split && !o.dry_run) OutputFile::check(*o.output);
  if (o.report) check_report(*o.report, source, o.force);
}

void say_before(const convert::Source& source, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) log_warn("{}", note);
  for (const convert::Repair& repair : source.repairs()) {
    log_info("repaired: {}: {}", repair.topic, repair.what);
  }
}

void say_after(const convert::ConvertReport& report, double seconds) {
  for (const std::string& warning : report.warnings) log_warn("{}", warning);
  if (!report.no_runs.empty()) log_warn("the source was not run: {}", report.no_runs);
  if (!report.is_written) return;
  const std::string more =
      report.outputs.size() > 1 ? " and " + std::to_string(report.outputs.size() - 1) + " more" : "";
  log_info("{}{}: {:.1f} MiB written and read back in {:.2f} s",
           printable(report.outputs.front(), kMaxPrintedPath), more, to_mib(report.output_bytes), seconds);
}

void save_report(const std::string& path, const convert::ConvertReport& report) {
  OutputFile file(path);
  file.write(conversion_json(report));
  file.commit();
}

ExitCode convert_file(ConvertCommandOptions& o) {
  set_verbosity(o.quiet, o.verbose);
  check(o);
  check_model_exists(o.input);
  const auto start = std::chrono::steady_clock::now();
  const unsigned n_threads = threads_for_files(o.n_threads);
  ThreadPool pool(n_threads);
  const convert::PlanOptions& plan = o.convert.plan;
  o.source.repairs = !o.no_repair;
  o.source.needs_model = plan.type || plan.head || plan.embedding;
  o.source.absmean = plan.absmean;
  o.convert.force = o.force;
  o.convert.dry_run = o.dry_run;
  o.convert.report = o.report;
  o.convert.n_threads = n_threads;
  o.convert.source_load = {.hidden_act = o.source.hidden_act, .i2s_layout = o.source.i2s_layout};
  std::vector<std::string> notes;
  const std::unique_ptr<convert::Source> source = convert::open_source(o.input, o.source, pool, notes);
  check_places(o, *source);
  log_debug("converting {} tensors with {} threads", source->tensors().size(), pool.n_threads());
  say_before(*source, notes);
  ProgressBar bar(o.quiet, "convert", kLongConversion);
  const convert::ConvertReport report = convert::convert(*source, o.output.value_or(""), o.convert, pool,
                                                         [&](double done, std::string_view phase) {
                                                           bar.update(done, phase);
                                                           return !interrupted();
                                                         });
  bar.clear();
  if (report.failure) {
    log_error("{}: {}; nothing was written", printable(o.output.value_or(""), kMaxPrintedPath),
              *report.failure);
  } else {
    say_after(report, seconds_since(start));
  }
  if (o.report) save_report(*o.report, report);
  if (report.failure) return ExitCode::check_failed;
  write_stdout(format_conversion(report));
  return ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_convert_command(Command& app) {
  auto options = std::make_shared<ConvertCommandOptions>();
  Command* command = app.add_subcommand("convert", "Write a model in other types, and prove it the same");
  add_options(*command, *options);
  return [options] { return convert_file(*options); };
}

}  // namespace bitnet::cli
