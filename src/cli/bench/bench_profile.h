// Where the time of a benchmark goes, and how fast each kind of work is beside the machine's limits.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cli/bench/bench_report.h"

namespace bitnet::cli {

struct WorkRate {
  std::string_view work;
  double seconds_per_token = 0;
  double share = 0;  // of the time of all kinds of work
  // Of the matrix products among them, and of attention's reading of the cache; percentages where the limit
  // is known too.
  std::optional<double> gigabytes_per_second{};  // decode: weights or cache
  std::optional<double> bandwidth_percent{};
  std::optional<double> gigamacs_per_second{};  // prefill
  std::optional<double> int8_peak_percent{};
};

// In the order of the graph, then the ternary products taken together, "all ternary products"; empty for a
// row without a profile.
std::vector<WorkRate> profile_of(const BenchReport& report, const BenchRow& row);

// A line on stderr for each.
void log_profile(const BenchReport& report, const BenchRow& row);

}  // namespace bitnet::cli
