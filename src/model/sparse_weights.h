// Copies of ffn_down by columns, for products that leave out the columns whose input is zero.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/weights.h"
#include "quant/columns.h"

namespace bitnet {

struct SparseWeights {
  std::vector<quant::Columns> ffn_down;  // [n_layers], or empty: there are no copies
  AnonymousMemory memory;
  const gguf::File* file = nullptr;  // that the originals lie in, if any do
};

// Whether zeros of the feed-forward network can be left out: those of relu^2, with I2_S weights throughout.
bool can_leave_out_zeros(const Config& config, const Weights& weights);

// What a copy of ffn_down of every layer takes.
std::size_t column_copy_bytes(const Weights& weights);

// Makes it and gives the file's pages back as it goes; the file must outlive the result. Throws RuntimeError
// when the memory cannot be had.
SparseWeights copy_by_columns(const Weights& weights, const gguf::File& file, ThreadPool& pool);

// How much faster than all of it a part of the columns would be read and multiplied, on this machine as it is
// now, where that part is chosen at random: measured in some milliseconds on rows of ffn_up, which are as
// long.
double measure_column_gain(const Weights& weights, const kernels::Kernels& kernels, ThreadPool& pool,
                           double share);

}  // namespace bitnet
