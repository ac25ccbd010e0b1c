// The I2_S tensors of a file in another layout, in that which the kernels read.
#pragma once

#include "base/thread_pool.h"
#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/weights.h"

namespace bitnet {

// Copies every I2_S matrix from `layout` to the one of x86, into weights.i2s_copies, and gives the file's
// pages back as it goes. Returns the bytes of the copies; 0 for x86 itself, which is used where it lies.
// Throws ModelError for a matrix that cannot have that layout, RuntimeError when the memory cannot be had.
std::uint64_t copy_from_layout(I2sLayout layout, Weights& weights, const gguf::File& file, ThreadPool& pool);

}  // namespace bitnet
