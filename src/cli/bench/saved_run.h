// A run that bitnet bench -o json saved, read back: a file that anyone may have changed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench/bench_report.h"
#include "diagnostics/speed_comparison.h"

namespace bitnet::cli {

struct SavedRow {
  std::string model;
  std::string backend;
  std::uint64_t n_threads = 0;
  std::string test;
  std::string head;
  // What else two rows must share for their speeds to be comparable.
  std::uint64_t model_bytes = 0;
  std::string kv_type;
  std::string activations;  // empty in a run saved before there was a choice
  std::uint64_t prefill_chunk = 0;
  std::string weights;
  bool pin = false;

  SpeedSamples speed;
};

struct SavedRun {
  std::string path;     // as messages show it
  std::string program;  // that made it; empty: it doesn't say
  std::string cpu;
  std::uint64_t n_cores = 0;
  std::vector<SavedRow> rows;
};

// Throws ModelError when the file cannot be read or is no such run.
SavedRun read_saved_run(const std::string& path);

// "model avx512, threads 2, tg128, exact head"
std::string name_of(const SavedRow& row);

// The same test of the same model: whether it was run in the same way is another question.
bool is_same_test(const SavedRow& saved, const BenchRow& row);
// What keeps the two from being compared, "kv type f32, now f16"; empty: nothing.
std::string difference(const SavedRun& run, const SavedRow& saved, const BenchReport& report,
                       const BenchRow& row);

}  // namespace bitnet::cli
