// What bitnet bench measured, and the forms in which it is printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "diagnostics/benchmark.h"
#include "diagnostics/machine_limits.h"

namespace bitnet::cli {

inline constexpr const char* kBenchSchema = "bitnet.bench";
inline constexpr int kBenchVersion = 1;

// One test of one model under one set of options.
struct BenchRow {
  std::string model;  // file name, "canary", or "synthetic:PRESET"
  std::string architecture;
  std::uint64_t model_bytes = 0;
  std::string backend;  // the one that ran, never "auto"
  unsigned n_threads = 0;
  KvType kv_type = KvType::f16;
  ActivationType activations = ActivationType::automatic;  // until it is measured
  std::size_t prefill_chunk = 0;
  WeightMemory weights = WeightMemory::mmap;
  bool pin = false;
  BenchmarkTest test;
  std::size_t head_choice = 0;    // of the heads that were asked for
  HeadInfo head;                  // before it is measured its kind alone
  HeadWork head_work;             // of decode tests
  DraftCounts draft;              // likewise, of all repetitions together
  SparseInfo sparse;              // once it is measured
  SparseWork sparse_work;         // of all repetitions together
  std::vector<double> rates;      // tokens/s of each repetition
  std::vector<WorkTime> profile;  // of all repetitions together; empty unless asked for
  // Of each repetition: what the threads ran and waited, and the mean of what the machine gave before and
  // after.
  std::vector<std::optional<ThreadTimes>> threads;
  std::vector<MachineSpeed> machine;
  MachineSpeed limit;  // as many threads', reading as many bytes as the model's
  WorkPerToken work;
  double load_seconds = 0;
  std::uint64_t peak_bytes = 0;  // resident at most since loading the model began
};

// "model avx512, threads 2, tg128": for messages. The head isn't in it.
std::string name_of(const BenchRow& row);
// Rows of one test with different heads, which are measured in turns.
bool differ_in_head_alone(const BenchRow& a, const BenchRow& b);

struct BenchReport {
  std::string cpu;
  unsigned n_cores = 0;
  std::vector<MachineLimits> limits;  // one for each backend and number of threads among the rows
  std::vector<BenchRow> rows;
};

// Those of the row's backend and threads; nullptr: not measured.
const MachineLimits* limits_of(const BenchReport& report, const BenchRow& row);
// What as many threads can multiply with the same backend; 0: it has no such instructions, or nothing is
// known.
double int8_limit_of(const BenchReport& report, const BenchRow& row);

// Speed in the units of the machine's limits; a negative number: does not apply, or the limit isn't known.
struct SpeedRates {
  double gigabytes = -1;          // of weights and cache read per second, decoding
  double bandwidth_percent = -1;  // of what as many threads can read
  double gigamacs = -1;           // of the layers' products per second, prefill
  double int8_peak_percent = -1;  // of what as many threads can multiply
};
SpeedRates rates_of(const BenchReport& report, const BenchRow& row, double tokens_per_second);

enum class ReportFormat { md, csv, json, jsonl };

// Throws UsageError.
ReportFormat parse_report_format(const std::string& name);

// The whole report, ending in a line break.
std::string format_report(const BenchReport& report, ReportFormat format);

}  // namespace bitnet::cli
