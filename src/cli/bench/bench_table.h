// What bitnet bench measured as people read it: Markdown tables of at most 80 columns.
#pragma once

#include <string>

#include "cli/bench/bench_report.h"

namespace bitnet::cli {

// Program and machine, then for each model and backend a line and a table, then what needs to be explained.
std::string format_table(const BenchReport& report);

}  // namespace bitnet::cli
