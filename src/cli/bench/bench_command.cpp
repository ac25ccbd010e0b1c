#include "cli/bench/bench_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cpu_count.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/bench/bench_gate.h"
#include "cli/bench/bench_measure.h"
#include "cli/bench/bench_profile.h"
#include "cli/bench/bench_report.h"
#include "cli/help/real_model.h"
#include "cli/options/draft_option.h"
#include "cli/options/list_option.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_line.h"
#include "diagnostics/cpu_name.h"
#include "kernels/kernels.h"
#include "model/synthetic/synthetic.h"

namespace bitnet::cli {
namespace {

void add_test_options(Command& c, BenchOptions& o) {
  auto* prompt =
      add_number_list(c, "-p,--n-prompt", o.prompt, "Prompt tokens to run at once; 0: no such test");
  auto* generate = add_number_list(c, "-n,--n-gen", o.generate, "Tokens to generate; 0: no such test");
  auto* depth = add_number_list(c, "-d,--n-depth", o.depth, "Tokens in the context before each test");
  auto* sequences =
      add_number_list(c, "--sequences", o.sequences, "Of decode tests: so many decode together");
  auto* text = c.add_option(
      "--text",
      [&o](const std::string& names, const std::string& source) {
        o.is_quoted.clear();
        for (const std::string& name : split_list(names)) {
          if (name != "random" && name != "quoted") {
            throw UsageError(source + " '" + name + "' is unknown; choose from random, quoted");
          }
          o.is_quoted.push_back(name == "quoted");
        }
      },
      "Of decode tests: random, or quoted from the context");
  text->type_name("TEXTS")->default_str("random");
  text->choices("random, quoted")->takes_list();
  auto* draft = c.add_option(
      "--draft",
      [&o](const std::string& names, const std::string& source) {
        o.drafts.clear();
        for (const std::string& name : split_list(names)) o.drafts.push_back(parse_draft(name, source));
      },
      kDraftHelp);
  draft->type_name("N,...")->default_str("off");
  draft->takes_list();
  auto* repetitions = c.add_option(
      "-r,--repetitions",
      [&o](const std::string& text, const std::string& source) {
        o.repetitions = parse_number<std::size_t>(text, source);
      },
      "Of each test, after a warm-up");
  repetitions->default_str(fmt::format("{}, with --gate {}", kRepetitions, kGateRepetitions));
  for (Option* option : {prompt, generate, depth, sequences}) option->type_name("N,...");
  repetitions->type_name("N");
  for (Option* option : {prompt, generate, depth, sequences, text, draft, repetitions})
    option->group("Tests");
}

void add_model_options(Command& c, BenchOptions& o) {
  auto* file = c.add_option("-m,--model,file", o.model, "GGUF file; none: the canary");
  file->type_name("FILE")->envname("BITNET_MODEL")->file_ending(".gguf");
  auto* synthetic = c.add_option(
      "--synthetic", [&o](const std::string& names) { o.synthetic = split_list(names); },
      "Random models, no file needed, NAME or NAME:TYPE: " + synthetic_preset_names());
  synthetic->type_name("NAMES");
  synthetic->choices(synthetic_preset_names())->takes_list();
  auto* kv_type = c.add_option(
      "--kv-type", [&o](const std::string& name) { o.kv_type = parse_kv_type(name); }, kKvTypeHelp);
  kv_type->type_name("TYPE")->default_str("f16");
  kv_type->choices(kKvTypeNames);
  auto* activations = c.add_option(
      "--activations", [&o](const std::string& name) { o.activations = parse_activations(name); },
      kActivationsHelp);
  activations->type_name("TYPE")->default_str("auto");
  activations->choices(kActivationNames);
  for (Option* option : {file, synthetic, kv_type, activations}) option->group("Model");
}

void add_machine_options(Command& c, BenchOptions& o) {
  auto* threads = add_number_list(c, "-t,--threads", o.threads, "Threads; 0: one per physical core");
  threads->type_name("N,...")->envname("BITNET_THREADS");
  auto* backend = c.add_option(
      "--backend",
      [&o](const std::string& names, const std::string& source) {
        o.backends = split_list(names);
        for (const std::string& name : o.backends) check_backend(name, source);
      },
      "Instruction sets: " + backend_names());
  backend->type_name("NAMES")->envname("BITNET_BACKEND")->default_str("auto");
  backend->choices(backend_names())->takes_list();
  auto* chunk = add_number(c, "--prefill-chunk", o.prefill_chunk, "Prompt tokens computed together");
  chunk->type_name("N");
  auto* pin = c.add_flag("--pin", o.pin, "Keep each thread on a core of its own");
  auto* weights = c.add_option(
      "--weights", [&o](const std::string& name) { o.weights = parse_weights(name); },
      "mmap, or repack: copied to large pages");
  weights->type_name("HOW")->default_str("mmap");
  weights->choices("mmap, repack");
  auto* head = c.add_option(
      "--head",
      [&o](const std::string& names) {
        o.heads.clear();
        for (const std::string& name : split_list(names)) o.heads.push_back(parse_head(name));
      },
      "LM head in decoding: exact, screened[-cached], int8[-cached]; several are measured in turns");
  head->type_name("KINDS")->default_str("exact");
  head->choices(kHeadNames)->takes_list();
  auto* sparse = c.add_option(
      "--sparse", [&o](const std::string& name) { o.sparse = parse_sparse(name); }, kSparseHelp);
  sparse->type_name("MODE")->default_str("auto");
  sparse->choices(kSparseNames);
  for (Option* option : {threads, backend, chunk, pin, weights, head, sparse}) option->group("Machine");
}

void add_output_options(Command& c, BenchOptions& o) {
  auto* output = c.add_option(
      "-o,--output", [&o](const std::string& name) { o.format = parse_report_format(name); },
      "Form of the results: md, csv, json or jsonl");
  output->type_name("FORMAT")->default_str("md");
  output->choices("md, csv, json, jsonl");
  auto* gate = c.add_option("--gate", o.gate, "Results saved with -o json; exit code 4 if this is slower");
  gate->type_name("FILE");
  auto* tolerance = add_number(c, "--gate-tolerance", o.gate_tolerance,
                               "Per cent that a row may be slower on an equal machine");
  tolerance->type_name("P");
  for (Option* option : {output, gate, tolerance}) option->group("Output");

  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  c.add_flag("--profile", o.profile, "Time and rate by kind of work, on stderr")->group("Messages");
  add_help(c);
  c.example("bitnet bench model.gguf -p 128,512 -n 32 -t 1,2");
  c.example("bitnet bench --synthetic 2b-4t -o json > before.json");
  c.everyday({"--n-prompt", "--n-gen", "--n-depth", "--repetitions", "--model", "--synthetic", "--threads",
              "--output", "--gate", "--help"});
}

// Of "NAME" or "NAME:TYPE", which is that of the layers' matrices.
SyntheticShape shape_of(const std::string& name) {
  const std::size_t colon = name.find(':');
  const SyntheticShape* preset = find_synthetic_preset(name.substr(0, colon));
  if (preset == nullptr) {
    throw UsageError("--synthetic '" + name + "' is unknown; choose from " + synthetic_preset_names());
  }
  SyntheticShape shape = *preset;
  if (colon != std::string::npos) {
    const SyntheticType* type = find_synthetic_type(name.substr(colon + 1));
    if (type == nullptr) {
      throw UsageError("--synthetic '" + name + "' has an unknown type; choose from " +
                       synthetic_type_names());
    }
    set_type(shape, type->name);
  }
  check(shape);
  return shape;
}

std::vector<BenchSource> find_sources(const BenchOptions& o) {
  if (o.synthetic.empty()) {
    if (o.model.empty()) return {{"canary", {}, {}}};
    check_model_exists(o.model);
    return {{printable(std::filesystem::path(o.model).filename().string(), kMaxPrintedName), o.model, {}}};
  }
  const char* from_environment = std::getenv("BITNET_MODEL");
  if (!o.model.empty() && (from_environment == nullptr || o.model != from_environment)) {
    throw UsageError("--model and --synthetic exclude each other; pass one of them");
  }
  std::vector<BenchSource> sources;
  for (const std::string& name : o.synthetic) {
    const std::string label = "synthetic:" + name;
    if (std::ranges::find(sources, label, &BenchSource::label) == sources.end()) {
      sources.push_back({label, {}, shape_of(name)});
    }
  }
  return sources;
}

void check_sequences(const BenchOptions& o) {
  if (std::ranges::count(o.sequences, std::size_t{0}) > 0) {
    throw UsageError("--sequences 0 measures nothing; pass 1 or more");
  }
  const bool are_many = std::ranges::any_of(o.sequences, [](std::size_t n) { return n > 1; });
  const bool is_drafted =
      std::ranges::any_of(o.drafts, [](const DraftOptions& d) { return d.max_tokens > 0; });
  if (!are_many || !(is_drafted || std::ranges::count(o.is_quoted, true) > 0)) return;
  throw UsageError(std::string(is_drafted ? "--draft" : "--text quoted") +
                   " is for one sequence, and --sequences asks for more; measure them one after the other");
}

std::vector<BenchmarkTest> find_tests(const BenchOptions& o) {
  std::vector<BenchmarkTest> tests;
  for (const std::size_t depth : o.depth) {
    for (const std::size_t n : o.prompt) tests.push_back({BenchmarkTest::Kind::prefill, n, depth});
    for (const std::size_t n : o.generate) {
      for (const bool is_quoted : o.is_quoted) {
        for (const DraftOptions& draft : o.drafts) {
          for (const std::size_t n_sequences : o.sequences) {
            tests.push_back({BenchmarkTest::Kind::decode, n, depth, is_quoted, draft, n_sequences});
          }
        }
      }
    }
  }
  std::erase_if(tests, [](const BenchmarkTest& test) { return test.n_tokens == 0; });
  if (tests.empty()) throw UsageError("no tests: pass a number above 0 to -p or -n");
  return tests;
}

// The rows of the report, in order, with all that is known before they are measured.
std::vector<BenchRow> plan_rows(const BenchOptions& o, const std::vector<BenchSource>& sources) {
  const std::vector<BenchmarkTest> tests = find_tests(o);
  std::vector<BenchRow> rows;
  for (const BenchSource& source : sources) {
    for (const std::string& backend : o.backends) {
      for (const unsigned threads : o.threads) {
        for (const BenchmarkTest& test : tests) {
          for (std::size_t head = 0; head < o.heads.size(); ++head) {
            BenchRow row;
            row.model = source.label;
            row.backend = kernels::find(backend).name;
            row.n_threads = threads == 0 ? usable_cores() : threads;
            row.kv_type = o.kv_type;
            row.activations = o.activations;
            row.prefill_chunk = o.prefill_chunk;
            row.weights = o.weights;
            row.pin = o.pin;
            row.test = test;
            row.head_choice = head;
            row.head.kind = o.heads[head].kind;
            rows.push_back(std::move(row));
            // Of a prompt's tokens one alone comes to the head.
            if (test.kind == BenchmarkTest::Kind::prefill) break;
          }
        }
      }
    }
  }
  return rows;
}

void measure_limits(BenchReport& report, ProgressLine& progress) {
  for (const BenchRow& row : report.rows) {
    if (interrupted()) return;
    if (limits_of(report, row) != nullptr) continue;
    progress.show(fmt::format("the machine's limits, {}, threads {}", row.backend, row.n_threads));
    report.limits.push_back(measure_machine_limits(row.backend, row.n_threads));
  }
  for (MachineLimits& limits : report.limits) {
    for (const BenchRow& row : report.rows) {
      if (row.backend != limits.backend || row.n_threads != limits.n_threads) continue;
      limits.int8_macs_per_second = std::max(limits.int8_macs_per_second, row.limit.int8_macs_per_second);
    }
  }
}

// Measures the rows that the gate is not sure of again. False when interrupted.
bool measure_doubtful(const BenchGate& gate, const BenchOptions& o, const std::vector<BenchSource>& sources,
                      ProgressLine& progress, BenchReport& report) {
  for (std::size_t n_runs = 1;; ++n_runs) {
    const std::vector<std::size_t> doubtful = gate.doubtful(report, n_runs);
    if (doubtful.empty()) return true;
    progress.clear();
    log_info("gate: measuring {} of {} rows again, to be sure", doubtful.size(), report.rows.size());
    std::vector<BenchRow> rows;
    for (const std::size_t i : doubtful) rows.push_back(report.rows[i]);
    for (const BenchSource& source : sources) {
      const bool has_rows =
          std::ranges::any_of(rows, [&](const BenchRow& row) { return row.model == source.label; });
      if (has_rows && !measure_model(source, o, progress, rows)) return false;
    }
    for (std::size_t i = 0; i < doubtful.size(); ++i) report.rows[doubtful[i]] = rows[i];
  }
}

// What a head other than the exact one read, and what it costs.
void log_head(const BenchRow& row) {
  if (row.head.kind == HeadKind::exact || row.test.kind != BenchmarkTest::Kind::decode) return;
  const HeadWork& work = row.head_work;
  log_info(
      "{}: {} head: {:.1f} of {:.1f} MB read a token; {:.1f} rows in full, at most {}; {:.1f} MiB {} in "
      "{:.3f} s",
      name_of(row), name_of(row.head.kind), work.bytes_per_token / 1e6,
      static_cast<double>(row.head.stored_bytes) / 1e6, work.rows_in_full, work.most_rows_in_full,
      to_mib(row.head.extra_bytes), row.head.cache.used ? "mapped" : "made", row.head.seconds);
}

// What decoding met that could be left out, and what of it was: part of the profile, else a detail.
void log_sparse(const BenchRow& row, bool is_profiled) {
  if (row.sparse.mode == SparseMode::off || row.test.kind != BenchmarkTest::Kind::decode) return;
  const std::string text = fmt::format("{}: sparse {}: {}; {:.1f} MiB of columns copied in {:.3f} s",
                                       name_of(row), name_of(row.sparse.mode), sparse_text(row.sparse_work),
                                       to_mib(row.sparse.copied_bytes), row.sparse.seconds);
  if (is_profiled) {
    tell(text);
  } else {
    log_debug("{}", text);
  }
}

// Of two rows that were measured in turns.
void log_ratio(const BenchRow& row, const BenchRow& to) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < row.rates.size(); ++i) ratios.push_back(row.rates[i] / to.rates[i]);
  const Statistics s = statistics_of(ratios);
  log_info("{}: {} head {:.2f} times as fast as {}, {:.2f} to {:.2f} in {} turns", name_of(row),
           name_of(row.head.kind), s.median, name_of(to.head.kind), *std::ranges::min_element(ratios),
           *std::ranges::max_element(ratios), ratios.size());
}

ExitCode bench(const BenchOptions& o) {
  set_verbosity(o.quiet, o.verbose);
  if (o.repetitions == std::size_t{0}) throw UsageError("--repetitions 0 measures nothing; pass 1 or more");
  if (!(o.gate_tolerance >= 0 && o.gate_tolerance < 100)) {
    throw UsageError("--gate-tolerance " + digits_of(o.gate_tolerance) +
                     " is not between 0 and 100 per cent");
  }
  check_sequences(o);
  if (!o.synthetic.empty() && std::ranges::any_of(o.heads, &HeadChoice::cached)) {
    throw UsageError(
        "a cached --head keeps its copy beside the model's file, and --synthetic makes none; pass it without "
        "-cached");
  }
  const std::vector<BenchSource> sources = find_sources(o);
  BenchReport report;
  report.cpu = printable(cpu_name(), kMaxPrintedName);
  report.n_cores = usable_cores();
  report.rows = plan_rows(o, sources);
  std::optional<BenchGate> gate;
  if (o.gate) {
    gate.emplace(*o.gate, o.gate_tolerance);
    gate->require_common_row(report);  // not after minutes of measuring
  }
  const auto most = std::ranges::max_element(report.rows, {}, &BenchRow::n_threads);
  warn_of_many_threads(most->n_threads);

  ProgressLine progress(o.quiet);
  for (const BenchSource& source : sources) {
    if (!measure_model(source, o, progress, report.rows)) return ExitCode::interrupted;
  }
  if (gate && !measure_doubtful(*gate, o, sources, progress, report)) return ExitCode::interrupted;
  // Last, so that the memory this takes is in nobody's peak.
  measure_limits(report, progress);
  progress.clear();
  if (interrupted()) return ExitCode::interrupted;
  for (const MachineLimits& l : report.limits) {
    log_debug("{}, threads {}: memory reads {:.1f} GB/s, int8 products {:.0f} GMAC/s", l.backend, l.n_threads,
              l.read_bytes_per_second / 1e9, l.int8_macs_per_second / 1e9);
  }
  const BenchRow* first = nullptr;  // of those that differ in the head alone
  for (const BenchRow& row : report.rows) {
    log_head(row);
    log_sparse(row, o.profile);
    log_profile(report, row);
    if (first != nullptr && differ_in_head_alone(*first, row)) {
      log_ratio(row, *first);
    } else {
      first = &row;
    }
  }
  write_stdout(format_report(report, o.format));
  return !gate || gate->report_verdicts(report) ? ExitCode::done : ExitCode::check_failed;
}

}  // namespace

std::function<ExitCode()> add_bench_command(Command& app) {
  auto options = std::make_shared<BenchOptions>();
  Command* command = app.add_subcommand("bench", "Measure how fast models run here");
  add_test_options(*command, *options);
  add_model_options(*command, *options);
  add_machine_options(*command, *options);
  add_output_options(*command, *options);
  return [options] { return bench(*options); };
}

}  // namespace bitnet::cli
