#include "cli/bench/bench_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "bitnet/error.h"
#include "cli/bench/bench_profile.h"
#include "cli/bench/bench_table.h"
#include "cli/options/model_options.h"
#include "cli/terminal/memory_use.h"
#include "diagnostics/json_text.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

// --- JSON
// ---------------------------------------------------------------------------------------------------
//
// -o json prints one object:
//   schema   "bitnet.bench"
//   version  1; it changes when a field changes its name or meaning, not when one is added
//   program, commit   that wrote it
//   machine  {cpu, cores, limits: [{backend, threads, read_bytes_per_second,
//            int8_macs_per_second or null}]}
//   results  one object for each row:
//     model, architecture, model_bytes            what ran
//     backend, threads, kv_type, activations, prefill_chunk    how
//     weights                                     where they were: "mmap" in the file, "repack" copied
//     pin                                         whether each thread was to stay on a core of its own
//     test                                        "pp512", "tg128", "tg128x8@d1024"; with model, backend,
//                                                 threads and, for decode, the head's kind it names a row
//                                                 (see --gate)
//     kind, n_tokens, depth                       the same in parts; kind is "prefill" or "decode"
//     sequences                                   decode: that ran together, n_tokens each; null for prefill
//     tokens_per_second                           mean of the repetitions, of all sequences together
//     tokens_per_second_deviation, tokens_per_second_median, tokens_per_second_samples
//     weight_bytes_per_token                      read for a decoded token: layers, norms, head; of a pass
//                                                 with a draft, its tokens have a part each
//     kv_bytes_per_token                          keys and values read for one, on average over the test
//     layer_macs_per_token, head_macs_per_token   multiply-adds of the matrix products
//     gigabytes_per_second, bandwidth_percent     decode: weights and cache; null for prefill
//     read_bytes_per_second                       what bandwidth_percent is of: as many threads reading
//                                                 as many bytes as the model's, the best of short loops
//                                                 between the repetitions
//     gigamacs_per_second, int8_peak_percent      prefill: layers only; null for decode
//     head                                        {kind: "exact", "int8" or "screened"; stored_bytes,
//                                                 extra_bytes of its copy, seconds that making it took; and
//                                                 for decode, null for prefill, means over the tokens:
//                                                 bytes_per_token, rows_in_full, and most_rows_in_full}
//     text                                        decode: "random", or "quoted": tokens of the context again,
//                                                 one in 16 another; null for prefill
//     draft                                       {choice: "off", "auto" or a number; and of all repetitions
//                                                 together passes, drafted, accepted}; null for prefill
//     sparse                                      {mode: "auto", "on" or "off"; column_bytes of the copy of
//                                                 ffn_down; and for decode, null for prefill and where
//                                                 nothing was looked at: shut_gates_percent,
//                                                 zero_inputs_percent, sparse_up_percent and
//                                                 sparse_down_percent of the products}
//     load_seconds, peak_memory_bytes
//     for each of tokens_per_second_samples, as --gate needs it:
//     processor_seconds_samples                   what all threads together ran, and
//     processor_wait_seconds_samples              what they waited while others had the processors
//     read_bytes_per_second_samples               what the machine gave, by the processors' time: the mean of
//     int8_macs_per_second_samples                a sample before and one after
//     profile                                     with --profile alone, by kind of work: [{work,
//                                                 seconds_per_token, gigabytes_per_second, bandwidth_percent,
//                                                 gigamacs_per_second, int8_peak_percent}]
// A percentage is null where the limit isn't known, a sample where the system doesn't tell.
//
// -o jsonl prints for each row {schema, version, program, commit, cpu, cores, and the row's fields}. -o csv
// has the same columns without the first four, samples and profile; of the head its kind, of sparse its mode;
// null is an empty cell.

Json known(double value) { return value < 0 ? Json() : Json(value); }
Json known(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json profile_json(const BenchReport& report, const BenchRow& row) {
  Json profile = Json::array();
  for (const WorkRate& r : profile_of(report, row)) {
    profile.push_back({{"work", r.work},
                       {"seconds_per_token", r.seconds_per_token},
                       {"gigabytes_per_second", known(r.gigabytes_per_second)},
                       {"bandwidth_percent", known(r.bandwidth_percent)},
                       {"gigamacs_per_second", known(r.gigamacs_per_second)},
                       {"int8_peak_percent", known(r.int8_peak_percent)}});
  }
  return profile;
}

Json head_json(const BenchRow& row) {
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  const HeadWork& work = row.head_work;
  return {{"kind", name_of(row.head.kind)},
          {"stored_bytes", row.head.stored_bytes},
          {"extra_bytes", row.head.extra_bytes},
          {"seconds", row.head.seconds},
          {"bytes_per_token", is_decode ? Json(work.bytes_per_token) : Json()},
          {"rows_in_full", is_decode ? Json(work.rows_in_full) : Json()},
          {"most_rows_in_full", is_decode ? Json(work.most_rows_in_full) : Json()}};
}

Json draft_json(const BenchRow& row) {
  return {{"choice", name_of(row.test.draft)},
          {"passes", row.draft.n_passes},
          {"drafted", row.draft.n_drafted},
          {"accepted", row.draft.n_accepted}};
}

Json percent_json(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? Json() : Json(100 * static_cast<double>(part) / static_cast<double>(whole));
}

Json sparse_json(const BenchRow& row) {
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  const SparseWork work = is_decode ? row.sparse_work : SparseWork{};
  return {{"mode", name_of(row.sparse.mode)},
          {"column_bytes", row.sparse.copied_bytes},
          {"shut_gates_percent", percent_json(work.shut_gates, work.gates)},
          {"zero_inputs_percent", percent_json(work.zero_inputs, work.inputs)},
          {"sparse_up_percent", percent_json(work.sparse_up_products, work.up_products)},
          {"sparse_down_percent", percent_json(work.sparse_down_products, work.down_products)}};
}

Json thread_samples(const BenchRow& row, double ThreadTimes::*what) {
  Json samples = Json::array();
  for (const auto& times : row.threads) samples.push_back(times ? Json((*times).*what) : Json());
  return samples;
}

Json machine_samples(const BenchRow& row, double MachineSpeed::*what) {
  Json samples = Json::array();
  for (const MachineSpeed& speed : row.machine)
    samples.push_back(speed.*what > 0 ? Json(speed.*what) : Json());
  return samples;
}

Json row_json(const BenchReport& report, const BenchRow& row) {
  const Statistics s = statistics_of(row.rates);
  const SpeedRates rates = rates_of(report, row, s.mean);
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  Json json = {
      {"model", row.model},
      {"architecture", row.architecture},
      {"model_bytes", row.model_bytes},
      {"backend", row.backend},
      {"threads", row.n_threads},
      {"kv_type", name_of(row.kv_type)},
      {"activations", name_of(row.activations)},
      {"prefill_chunk", row.prefill_chunk},
      {"weights", name_of(row.weights)},
      {"pin", row.pin},
      {"test", name_of(row.test)},
      {"kind", is_decode ? "decode" : "prefill"},
      {"n_tokens", row.test.n_tokens},
      {"depth", row.test.depth},
      {"sequences", is_decode ? Json(row.test.n_sequences) : Json()},
      {"tokens_per_second", s.mean},
      {"tokens_per_second_deviation", s.deviation},
      {"tokens_per_second_median", s.median},
      {"tokens_per_second_samples", row.rates},
      {"weight_bytes_per_token", row.work.weight_bytes},
      {"kv_bytes_per_token", row.work.kv_bytes_read(row.test)},
      {"layer_macs_per_token", row.work.layer_macs},
      {"head_macs_per_token", row.work.head_macs},
      {"gigabytes_per_second", known(rates.gigabytes)},
      {"bandwidth_percent", known(rates.bandwidth_percent)},
      {"read_bytes_per_second", row.limit.read_bytes_per_second},
      {"gigamacs_per_second", known(rates.gigamacs)},
      {"int8_peak_percent", known(rates.int8_peak_percent)},
      {"head", head_json(row)},
      {"text", is_decode ? Json(row.test.is_quoted ? "quoted" : "random") : Json()},
      {"draft", is_decode ? draft_json(row) : Json()},
      {"sparse", sparse_json(row)},
      {"load_seconds", row.load_seconds},
      {"peak_memory_bytes", row.peak_bytes == 0 ? Json() : Json(row.peak_bytes)},
      {"processor_seconds_samples", thread_samples(row, &ThreadTimes::ran)},
      {"processor_wait_seconds_samples", thread_samples(row, &ThreadTimes::waited)},
      {"read_bytes_per_second_samples", machine_samples(row, &MachineSpeed::read_bytes_per_second)},
      {"int8_macs_per_second_samples", machine_samples(row, &MachineSpeed::int8_macs_per_second)},
  };
  if (!row.profile.empty()) json["profile"] = profile_json(report, row);
  return json;
}

std::string format_json(const BenchReport& report) {
  Json limits = Json::array();
  for (const MachineLimits& l : report.limits) {
    limits.push_back(
        {{"backend", l.backend},
         {"threads", l.n_threads},
         {"read_bytes_per_second", l.read_bytes_per_second},
         {"int8_macs_per_second", l.int8_macs_per_second > 0 ? Json(l.int8_macs_per_second) : Json()}});
  }
  Json results = Json::array();
  for (const BenchRow& row : report.rows) results.push_back(row_json(report, row));
  Json all = schema_json(kBenchSchema, kBenchVersion);
  all.update({{"machine", {{"cpu", report.cpu}, {"cores", report.n_cores}, {"limits", std::move(limits)}}},
              {"results", std::move(results)}});
  return all.dump(2) + "\n";
}

std::string format_jsonl(const BenchReport& report) {
  std::string text;
  for (const BenchRow& row : report.rows) {
    Json line = schema_json(kBenchSchema, kBenchVersion);
    line.update({{"cpu", report.cpu}, {"cores", report.n_cores}});
    line.update(row_json(report, row));
    text += line.dump() + "\n";
  }
  return text;
}

// --- CSV
// ----------------------------------------------------------------------------------------------------

// RFC 4180: quotes around what would be taken apart, and doubled inside.
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string format_csv(const BenchReport& report) {
  std::string header;
  std::string lines;
  for (const BenchRow& row : report.rows) {
    Json fields = {{"cpu", report.cpu}, {"cores", report.n_cores}};
    fields.update(row_json(report, row));
    for (const char* list :
         {"tokens_per_second_samples", "processor_seconds_samples", "processor_wait_seconds_samples",
          "read_bytes_per_second_samples", "int8_macs_per_second_samples", "profile"}) {
      fields.erase(list);
    }
    fields["head"] = name_of(row.head.kind);
    fields["draft"] = row.test.kind == BenchmarkTest::Kind::decode ? Json(name_of(row.test.draft)) : Json();
    fields["sparse"] = name_of(row.sparse.mode);
    header.clear();
    std::string line;
    for (const auto& [name, value] : fields.items()) {
      header += (header.empty() ? "" : ",") + name;
      line += (line.empty() ? "" : ",") + csv_cell(value);
    }
    lines += line + "\n";
  }
  return header + "\n" + lines;
}

}  // namespace

std::string name_of(const BenchRow& row) {
  return fmt::format("{} {}, threads {}, {}", row.model, row.backend, row.n_threads, name_of(row.test));
}

bool differ_in_head_alone(const BenchRow& a, const BenchRow& b) {
  return a.model == b.model && a.backend == b.backend && a.n_threads == b.n_threads && a.test == b.test;
}

const MachineLimits* limits_of(const BenchReport& report, const BenchRow& row) {
  for (const MachineLimits& l : report.limits) {
    if (l.backend == row.backend && l.n_threads == row.n_threads) return &l;
  }
  return nullptr;
}

double int8_limit_of(const BenchReport& report, const BenchRow& row) {
  const MachineLimits* limits = limits_of(report, row);
  return limits == nullptr ? 0 : limits->int8_macs_per_second;
}

SpeedRates rates_of(const BenchReport& report, const BenchRow& row, double tokens_per_second) {
  SpeedRates rates;
  const auto percent = [](double value, double limit) { return limit > 0 ? value / limit * 100 : -1; };
  if (row.test.kind == BenchmarkTest::Kind::decode) {
    const double bytes =
        tokens_per_second * (static_cast<double>(row.work.weight_bytes) + row.work.kv_bytes_read(row.test));
    rates.gigabytes = bytes / 1e9;
    rates.bandwidth_percent = percent(bytes, row.limit.read_bytes_per_second);
  } else {
    const double macs = tokens_per_second * static_cast<double>(row.work.layer_macs);
    rates.gigamacs = macs / 1e9;
    rates.int8_peak_percent = percent(macs, int8_limit_of(report, row));
  }
  return rates;
}

ReportFormat parse_report_format(const std::string& name) {
  if (name == "md") return ReportFormat::md;
  if (name == "csv") return ReportFormat::csv;
  if (name == "json") return ReportFormat::json;
  if (name == "jsonl") return ReportFormat::jsonl;
  throw UsageError("--output '" + name + "' is unknown; choose from md, csv, json, jsonl");
}

std::string format_report(const BenchReport& report, ReportFormat format) {
  switch (format) {
    case ReportFormat::csv:
      return format_csv(report);
    case ReportFormat::json:
      return format_json(report);
    case ReportFormat::jsonl:
      return format_jsonl(report);
    case ReportFormat::md:
      break;
  }
  return format_table(report);
}

}  // namespace bitnet::cli
