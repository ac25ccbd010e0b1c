// Holds a run against a saved one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/bench_report.h"
#include "cli/bench/saved_run.h"
#include "diagnostics/speed_comparison.h"

namespace bitnet::cli {

// What is said of one row of this run.
struct GateRow {
  const BenchRow* row = nullptr;
  std::string not_compared{};                   // why; empty: it is compared
  std::optional<SpeedComparison> comparison{};  // not before the row is measured
};

class BenchGate {
 public:
  // tolerance: per cent that a row may be slower. Throws ModelError when the file cannot be read or is no
  // saved run.
  BenchGate(const std::string& path, double tolerance);

  // Throws ModelError when none of the rows, measured or still to be, can be compared with the saved run.
  void require_common_row(const BenchReport& report) const;

  // Of each row of the report, in its order.
  std::vector<GateRow> judge(const BenchReport& report) const;
  // Indices of the rows that are worth measuring again, after `n_runs` of them: those that are slower, for a
  // second opinion, and those of which the samples say too little.
  std::vector<std::size_t> doubtful(const BenchReport& report, std::size_t n_runs) const;

  // Says on stderr what became of each row, of this run and of the saved one. False: a row is slower, or
  // could not be compared.
  bool report_verdicts(const BenchReport& report) const;

 private:
  const SavedRow* find(const BenchRow& row) const;
  GateRow judge(const BenchReport& report, const BenchRow& row) const;
  void name_saved_rows_not_run(const BenchReport& report) const;

  SavedRun saved_;
  double tolerance_;  // a part of the saved speed
};

}  // namespace bitnet::cli
