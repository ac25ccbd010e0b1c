// A copy of the LM head in int8: half the bytes of F16, and other logits.
#pragma once

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct Int8Head {
  // Every row of w, which must not be ternary, rounded to int8 with a scale of its own (its largest magnitude
  // stands for 127), in parallel. Throws RuntimeError when the memory cannot be had.
  Int8Head(const quant::Matrix& w, ThreadPool& pool);

  AnonymousMemory memory;
  quant::Matrix matrix;  // in memory
};

}  // namespace bitnet
