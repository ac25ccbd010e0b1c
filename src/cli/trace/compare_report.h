// What bitnet compare found, and the forms in which it is printed.
#pragma once

#include <string>

#include "diagnostics/compare_traces.h"

namespace bitnet::cli {

// One of the two sides.
struct ComparedSide {
  std::string file;  // empty: the model was run for it
  TraceInfo info;
};

struct CompareReport {
  ComparedSide tested;
  ComparedSide reference;
  CompareThresholds thresholds;
  TraceComparison comparison;
};

// "identical", "within" or "differs".
std::string verdict_of(const CompareReport& report);

// How many of the reference's tensors were left out; there are some.
std::string describe_left_out(const TraceComparison& comparison);

// What does not hold, in one line: the first tensor beyond the thresholds or, failing that, the tokens.
std::string describe_failure(const CompareReport& report);

std::string format_compare_table(const CompareReport& report);
std::string format_compare_json(const CompareReport& report);

}  // namespace bitnet::cli
