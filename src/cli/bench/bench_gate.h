// A saved run of bitnet bench (-o json) that a new one is held against.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench/bench_report.h"

namespace bitnet::cli {

class BenchGate {
 public:
  // Throws ModelError when the file cannot be read or is no such run.
  explicit BenchGate(const std::string& path);

  // Throws ModelError when none of the rows, measured or still to be, is in the saved run.
  void require_common_row(const std::vector<BenchRow>& rows) const;

  // One line for each row whose median is more than `tolerance` per cent below the saved one.
  std::vector<std::string> regressions(const std::vector<BenchRow>& rows, double tolerance) const;

 private:
  struct SavedRow {
    std::string model;
    std::string backend;
    std::uint64_t n_threads = 0;
    std::string test;
    std::string head;
    double median = 0;  // tokens/s
  };
  const SavedRow* find(const BenchRow& row) const;

  std::string path_;  // for messages
  std::vector<SavedRow> rows_;
};

}  // namespace bitnet::cli
