#include "cli/batch/batch_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/joined.h"
#include "base/output_file.h"
#include "base/printable.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "bitnet/scheduler.h"
#include "cli/batch/batch_options.h"
#include "cli/options/model_options.h"
#include "cli/options/scheduler_options.h"
#include "cli/run/run_receipt.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "diagnostics/json_text.h"
#include "service/batch/batch.h"
#include "service/batch/batch_file.h"
#include "service/batch/batch_merge.h"
#include "service/batch/batch_record.h"

namespace bitnet::cli {
namespace {

service::GenerationRequest defaults_of(const BatchCommandOptions& o) {
  service::GenerationRequest r;
  r.system = o.system;
  r.chat_template = o.chat_template;
  r.think = o.think;
  r.special = o.special;
  r.sampler = o.sampling.sampler();
  if (o.max_tokens >= 0) r.max_tokens = static_cast<std::size_t>(o.max_tokens);
  r.stop = o.stop;
  r.ignore_eos = o.ignore_eos;
  return r;
}

// All that decides an answer beside its request, and nothing else: not the machine, nor where files are.
std::string describe_settings(const BatchCommandOptions& o, const Model& model, const Scheduler& scheduler,
                              const std::string& sha256) {
  const ModelInfo& info = model.info();
  const SamplerOptions s = o.sampling.sampler();
  const nlohmann::ordered_json all{
      {"model", sha256},
      {"ctx_size", scheduler.ctx_size()},
      {"kv_type", name_of(o.model.session.kv_type)},
      {"activations", name_of(scheduler.activations())},
      {"hidden_act", static_cast<int>(info.hidden_act.act)},
      {"i2s_layout", info.i2s.layout ? static_cast<int>(*info.i2s.layout) : -1},
      {"head", recorded_name_of(info.head.kind)},
      {"template", o.chat_template},
      {"think", o.think ? nlohmann::ordered_json(*o.think) : nlohmann::ordered_json()},
      {"system", argument_json(o.system)},
      {"special", o.special},
      {"max_tokens", o.max_tokens},
      {"ignore_eos", o.ignore_eos},
      {"temperature_given", o.sampling.is_temperature_given()},
      {"sampler", {s.temperature, s.top_k, s.top_p, s.min_p, s.repeat_penalty, s.repeat_window, s.seed}}};
  std::string text = all.dump();
  for (const std::string& stop : o.stop) text.append("\n").append(hex_of(stop));
  return text;
}

ExitCode merge(const BatchCommandOptions& o) {
  check_merge(o);
  const service::BatchMerge merge(o.merge, o.input.empty() ? std::nullopt : std::optional(o.input));
  if (o.output) {
    OutputFile file(*o.output);
    merge.write([&](std::string_view record) { file.write(record); });
    file.commit();
  } else {
    merge.write(write_stdout);
  }
  if (!merge.gaps().is_empty()) {
    log_warn("no record of lines {}: they are blank, or a part is missing or not finished",
             merge.gaps().text());
  }
  if (merge.builds().size() > 1) {
    log_warn("the parts were written by {}: each record says by which", joined(merge.builds()));
  }
  log_info("{} records of {} parts", merge.n_records(), o.merge.size());
  return ExitCode::done;
}

void report(const service::BatchCounts& counts, const Scheduler& scheduler, double seconds) {
  const SchedulerCounts& done = scheduler.counts();
  const std::string earlier =
      counts.n_earlier == 0 ? "" : fmt::format(", {} of them by an earlier run", counts.n_earlier);
  // Of those that would have come nobody knows the number.
  const std::string of_all = interrupted() ? "" : fmt::format(" of {}", counts.n_read);
  log_info("{}{} requests answered{}; {} tokens in {:.1f} s ({:.1f}/s)", counts.n_done, of_all, earlier,
           done.n_generated_tokens, seconds,
           static_cast<double>(done.n_generated_tokens) / std::max(seconds, 1e-9));
  log_debug("{} passes; {} tokens of prompts run, {} taken from others; {} sequences put back for a while",
            done.n_passes, done.n_prompt_tokens, done.n_cached_tokens, done.n_put_back);
  log_debug("KV cache {:.1f} MiB reserved; peak memory {:.1f} MiB", to_mib(scheduler.kv_bytes()),
            to_mib(memory_use().peak_bytes));
}

// Options for lines that have a temperature, where none had one.
void warn_of_idle(const BatchCommandOptions& o, const service::BatchCounts& counts) {
  if (counts.n_read == 0 || counts.n_earlier > 0 || counts.n_sampled > 0) return;
  for (const std::string& name : o.sampling.idle_if_greedy()) {
    log_warn("{} had no effect: no request has a temperature; --temp gives one to all", name);
  }
}

service::BatchFile::Use use_of_file(const BatchCommandOptions& o) {
  using enum service::BatchFile::Use;
  return o.resume ? resume : o.force ? replace : begin;
}

void warn_of_builds(const std::string& path, const service::BatchFile& file) {
  std::set<std::string> others = file.builds();
  others.erase(service::this_build());
  if (others.empty()) return;
  log_warn("{} has records that {} wrote: each says what wrote it", printable(path, kMaxPrintedPath),
           joined(others));
}

// Of the input, where they are wanted and can be known: of a file alone.
std::optional<std::size_t> count_input(const BatchCommandOptions& o) {
  std::error_code none;
  const bool is_file = o.input != "-" && std::filesystem::is_regular_file(o.input, none);
  // Where a part is asked for of what cannot be counted, that is refused.
  return is_file || o.shard ? std::optional(service::count_lines(o.input)) : std::nullopt;
}

std::size_t lines_in(const service::LineRange& range, std::size_t n_lines) {
  const std::size_t last = std::min(range.last, n_lines);
  return last < range.first ? 0 : last + 1 - range.first;
}

ExitCode run(const BatchCommandOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  if (!o.merge.empty()) return merge(o);
  check_run(o);
  service::BatchOptions options;
  if (o.lines) options.range = *o.lines;
  const std::optional<std::size_t> n_all = count_input(o);
  if (o.shard) options.range = service::shard_of(*n_all, o.shard->index, o.shard->n_parts);
  const std::size_t n_lines = n_all ? lines_in(options.range, *n_all) : 0;
  service::LineReader lines(o.input);
  std::optional<service::BatchFile> file;
  if (o.output) file.emplace(*o.output, use_of_file(o));
  o.sampling.announce();
  const Model model = load_model(o.model, o.sampling.head());
  Scheduler scheduler = make_scheduler(model, o.scheduler, o.model);
  options.defaults = defaults_of(o);
  options.is_temperature_given = o.sampling.is_temperature_given();
  options.unordered = o.unordered;
  const std::optional<std::string> sha256 = sha256_of_model(model);
  if (!sha256) return ExitCode::interrupted;
  options.settings = service::batch_settings(describe_settings(o, model, scheduler, *sha256));
  options.keep_going = [] { return !interrupted(); };
  if (file) {
    options.earlier = [&](std::size_t line, std::string_view key) { return file->earlier(line, key); };
  }
  options.write = [&](std::string_view record) { file ? file->write(record) : write_stdout(record); };

  // Of a file it can be known before anything is touched that the records are its answers.
  const bool goes_on = !file || !n_all || file->check(o.input, options.range, options.settings);
  if (!goes_on && !o.unordered) {
    log_warn(
        "{} has records out of the input's order, as --unordered writes them: "
        "what it lacks comes at its end; --merge puts all in order",
        printable(*o.output, kMaxPrintedPath));
  }
  if (file) warn_of_builds(*o.output, *file);
  if (file) file->start();
  service::BatchCounts counts;
  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar(o.model.quiet, "batch");
  options.on_pass = [&] {
    if (n_lines == 0) return;
    const double seconds = seconds_since(start);
    bar.update(
        static_cast<double>(counts.n_done) / static_cast<double>(n_lines),
        fmt::format("{} of {}, {:.0f} tok/s", counts.n_done, n_lines,
                    static_cast<double>(scheduler.counts().n_generated_tokens) / std::max(seconds, 1e-9)));
  };
  service::run_batch(model, scheduler, lines, options, counts);
  bar.clear();
  if (file) file->finish();
  report(counts, scheduler, seconds_since(start));
  if (interrupted()) {
    if (file) log_warn("interrupted: the same command with --resume goes on");
    return ExitCode::interrupted;
  }
  warn_of_idle(o, counts);
  if (counts.n_failed > 0) {
    log_error("{} of {} requests failed: their records say why", counts.n_failed, counts.n_read);
    return ExitCode::failed;
  }
  return ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_batch_command(Command& app) {
  auto options = std::make_shared<BatchCommandOptions>();
  Command* command = app.add_subcommand("batch", "Answer a file of requests, many at once");
  add_batch_options(*command, *options);
  command->example("bitnet batch requests.jsonl -o answers.jsonl -n 200");
  command->example("bitnet batch requests.jsonl -o part2.jsonl --shard 2/8 --resume");
  command->example("bitnet batch in.jsonl --merge p1.jsonl --merge p2.jsonl -o out.jsonl");
  command->everyday({"--input", "--output", "--resume", "--shard", "--max-tokens", "--template", "--temp",
                     "--model", "--sequences", "--threads", "--quiet", "--help"});
  command->footer(
      "A request: {\"prompt\": TEXT}, {\"messages\": [{\"role\", \"content\"}, ...]} or {\"ids\": [ID, "
      "...]}, and\n"
      "any of id, system, template, think, special, max_tokens, stop, ignore_eos, temperature, top_k,\n"
      "top_p, min_p, repeat_penalty, repeat_window, seed, logprobs.");
  return [options] { return run(*options); };
}

}  // namespace bitnet::cli
