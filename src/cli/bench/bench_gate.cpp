#include "cli/bench/bench_gate.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {
namespace {

// Runs of a row at most, the first included, before samples that stay unclear are judged by what they hint
// at.
constexpr std::size_t kMostRuns = 4;

SpeedSamples samples_of(const BenchRow& row) {
  SpeedSamples speed;
  for (std::size_t i = 0; i < row.rates.size(); ++i) {
    speed.samples.push_back(
        {.tokens_per_second = row.rates[i], .threads = row.threads[i], .machine = row.machine[i]});
  }
  speed.n_tokens = row.test.n_counted();
  speed.n_threads = row.n_threads;
  if (row.test.kind == BenchmarkTest::Kind::decode) {
    speed.bytes_per_token = static_cast<double>(row.work.weight_bytes) + row.work.kv_bytes_read(row.test);
  } else {
    // Once for all tokens that are computed together.
    speed.bytes_per_token =
        static_cast<double>(row.work.weight_bytes) /
        static_cast<double>(std::clamp<std::size_t>(row.prefill_chunk, 1, row.test.n_tokens));
  }
  return speed;
}

SpeedComparison compare(const SavedRow& saved, const BenchRow& row, double tolerance) {
  const SpeedSamples now = samples_of(row);
  SpeedSamples before = saved.speed;
  before.n_tokens = now.n_tokens;
  before.n_threads = now.n_threads;
  // What the saved build read says how much of its time was reading; the same model is assumed to need the
  // same.
  before.bytes_per_token = now.bytes_per_token;
  return compare_speed(before, now, tolerance);
}

std::string_view verdict_name(SpeedVerdict verdict) {
  switch (verdict) {
    case SpeedVerdict::same:
      return "same";
    case SpeedVerdict::faster:
      return "faster";
    case SpeedVerdict::slower:
      return "SLOWER";
    case SpeedVerdict::unclear:
      break;
  }
  return "unclear";
}

// "tg128@d1024, screened, threads 2"
std::string short_name(const BenchRow& row) {
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  return fmt::format("{}{}, threads {}", name_of(row.test),
                     is_decode ? fmt::format(", {}", cli::name_of(row.head.kind)) : "", row.n_threads);
}

std::string percent(double ratio) { return fmt::format("{:+.1f} %", (ratio - 1) * 100); }

}  // namespace

BenchGate::BenchGate(const std::string& path, double tolerance)
    : saved_(read_saved_run(path)), tolerance_(tolerance / 100) {}

const SavedRow* BenchGate::find(const BenchRow& row) const {
  const auto found =
      std::ranges::find_if(saved_.rows, [&](const SavedRow& saved) { return is_same_test(saved, row); });
  return found == saved_.rows.end() ? nullptr : &*found;
}

GateRow BenchGate::judge(const BenchReport& report, const BenchRow& row) const {
  GateRow judged{.row = &row, .not_compared = {}};
  const SavedRow* const saved = find(row);
  if (saved == nullptr) {
    judged.not_compared = "the saved run has no such row";
    return judged;
  }
  judged.not_compared = difference(saved_, *saved, report, row);
  if (!judged.not_compared.empty()) judged.not_compared = "saved with " + judged.not_compared;
  if (judged.not_compared.empty() && !row.rates.empty()) judged.comparison = compare(*saved, row, tolerance_);
  return judged;
}

std::vector<GateRow> BenchGate::judge(const BenchReport& report) const {
  std::vector<GateRow> judged;
  for (const BenchRow& row : report.rows) judged.push_back(judge(report, row));
  return judged;
}

void BenchGate::require_common_row(const BenchReport& report) const {
  std::string why;
  for (const GateRow& judged : judge(report)) {
    if (judged.not_compared.empty()) return;
    if (why.empty() || judged.not_compared.starts_with("saved")) why = judged.not_compared;
  }
  throw ModelError(saved_.path, "has no row that this run can be held against: " + why,
                   "pass the options with which it was saved, on the machine where it was");
}

std::vector<std::size_t> BenchGate::doubtful(const BenchReport& report, std::size_t n_runs) const {
  std::vector<std::size_t> rows;
  if (n_runs >= kMostRuns) return rows;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const auto comparison = judge(report, report.rows[i]).comparison;
    if (!comparison) continue;
    const bool wants_second_opinion = comparison->verdict == SpeedVerdict::slower && n_runs == 1;
    if (wants_second_opinion || comparison->verdict == SpeedVerdict::unclear) rows.push_back(i);
  }
  return rows;
}

void BenchGate::name_saved_rows_not_run(const BenchReport& report) const {
  for (const SavedRow& saved : saved_.rows) {
    if (std::ranges::none_of(report.rows, [&](const BenchRow& row) { return is_same_test(saved, row); })) {
      log_info("gate: saved and not run now: {}", cli::name_of(saved));
    }
  }
}

bool BenchGate::report_verdicts(const BenchReport& report) const {
  const std::vector<GateRow> judged = judge(report);
  std::size_t width = 0;
  bool by_processor_time = false;
  for (const GateRow& row : judged) {
    width = std::max(width, short_name(*row.row).size());
    by_processor_time = by_processor_time || (row.comparison && row.comparison->by_processor_time);
  }
  log_info("gate: against {}{}; slower is more than {:.4g} % slower on an equal machine", saved_.path,
           saved_.program.empty() ? "" : ", " + saved_.program, tolerance_ * 100);
  if (by_processor_time) {
    log_info("gate: others used the processors: judged by the time that these ran, not by the clock");
  }
  const BenchRow* shown = nullptr;  // whose model and backend were said
  std::size_t n_failed = 0;
  for (const GateRow& row : judged) {
    const auto level = [&](bool failed) { return failed ? LogLevel::error : LogLevel::info; };
    if (shown == nullptr || shown->model != row.row->model || shown->backend != row.row->backend) {
      shown = row.row;
      log_info("gate: {} {}", shown->model, shown->backend);
      log_info("gate:   {:{}}  {:>9} {:>9} {:>9} {:>9}  verdict", "tok/s", width, "saved", "now", "machine",
               "build");
    }
    const std::string name = fmt::format("gate:   {:{}}", short_name(*row.row), width);
    if (!row.not_compared.empty()) {
      log_line(level(true), "{}  not compared: {}", name, row.not_compared);
      ++n_failed;
      continue;
    }
    const SpeedComparison& c = *row.comparison;
    const SpeedVerdict verdict = likelier(c, tolerance_);
    const bool failed = verdict == SpeedVerdict::slower;
    log_line(level(failed), "{}  {:9.2f} {:9.2f} {:>9} {:>9}  {}{}", name, c.saved, c.now, percent(c.machine),
             percent(c.ratio), verdict_name(verdict), c.verdict == SpeedVerdict::unclear ? ", probably" : "");
    n_failed += failed ? 1U : 0U;
  }
  name_saved_rows_not_run(report);
  if (n_failed == 0) log_info("gate: passed, {} of {} rows", judged.size(), judged.size());
  return n_failed == 0;
}

}  // namespace bitnet::cli
