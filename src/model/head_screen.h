// A copy of the LM head in few bits, with bounds on what that loses: enough to tell which rows cannot be
// among the best.
#pragma once

#include <cstddef>
#include <span>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/screen.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct HeadScreen {
  // Reads every row of w once, in parallel; w must not be ternary. Throws RuntimeError when the memory cannot
  // be had.
  HeadScreen(const quant::Matrix& w, ThreadPool& pool);

  std::size_t bytes() const { return memory.size(); }

  std::size_t n_blocks;  // of a row, kernels::kScreenBlock columns each
  AnonymousMemory memory;
  kernels::Planes planes;                    // in memory, [rows, n_blocks] each
  std::span<const kernels::RowBounds> rows;  // in memory, [rows]
  float largest = 0;  // of all rows: norm plus error_four; infinite if a weight is not finite
};

}  // namespace bitnet
