// Weights whose rows have a scale each (quant/row_scaled.h), in types that are multiplied.
#pragma once

#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "model/weights.h"

namespace bitnet {

// Copies every such matrix to weights.row_scaled_copies, and gives the file's pages back as it goes: to I2_S
// where its rows have one scale in common, as those of a tensor that was I2_S have, and else to Q2_0, whose
// scales are f16. Throws ModelError where these would round, RuntimeError when the memory cannot be had.
void copy_row_scaled(Weights& weights, const gguf::File& file, ThreadPool& pool);

}  // namespace bitnet
