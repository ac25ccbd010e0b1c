// A trace for tests, and reading one to its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "diagnostics/trace_file.h"

namespace bitnet::test {

// Two tensors of two tokens.
inline Trace small_trace() {
  Trace trace;
  trace.info.ids = {TokenId{1}, TokenId{2}};
  trace.info.greedy = {TokenId{3}};
  trace.info.greedy_margin = {0.5};
  trace.tensors = {{"inp_embd", 2, 3}, {"logits", 2, 4}};
  trace.values = {{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6, 7, 8}};
  return trace;
}

// How much of each tensor is read: tensors of longer rows are passed over.
struct MostRead {
  std::size_t rows = static_cast<std::size_t>(-1);
  std::size_t cols = static_cast<std::size_t>(-1);
};

// Throws ModelError where the file is damaged.
inline void read_values(const TraceSource& trace, const MostRead& most = {}) {
  for (std::size_t i = 0; i < trace.tensors().size(); ++i) {
    const TraceTensor& tensor = trace.tensors()[i];
    if (tensor.cols > most.cols) continue;
    std::vector<float> row(tensor.cols);
    const TraceSource::Rows next = trace.rows(i);
    for (std::size_t r = 0; r < std::min<std::size_t>(tensor.rows, most.rows); ++r) next(row);
  }
}

}  // namespace bitnet::test
