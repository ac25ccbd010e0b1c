// A copy of the LM head in few bits, with bounds on what that loses: enough to tell which rows cannot be
// among the best.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/screen.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct HeadScreen {
  // kernels::RowBounds of each row, [rows] each, in units of the scaled weights.
  struct Bounds {
    std::span<float> scale;
    std::span<float> norm;
    std::array<std::span<float>, kernels::kBitPlanes + 1> error;
  };

  // Reads every row of w once, in parallel; w must not be ternary. Throws RuntimeError when the memory cannot
  // be had.
  HeadScreen(const quant::Matrix& w, ThreadPool& pool);

  std::size_t bytes() const { return memory.size(); }

  std::size_t n_blocks;  // of a row, kernels::kScreenBlock columns each
  // The planes hold the weights divided by these, one for each column, and inputs are to be multiplied by
  // them: powers of two, at most 1. Heavy columns then aren't cut off at what a row's other weights need.
  std::vector<float> column_scale;  // [cols]
  AnonymousMemory memory;
  kernels::Planes planes;  // in memory, [rows, n_blocks] each
  Bounds rows;             // in memory
  float largest = 0;       // of all rows: norm plus error[0]; infinite if a weight is not finite
};

}  // namespace bitnet
