// Weights in memory of our own.
#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "model/weights.h"

namespace bitnet {

// Copies every matrix but the `rare` ones (rare_rows.h) to weights.repacked, each to the start of a cache
// line, and gives the file's pages back as it goes: the process never holds much more than one copy. Large
// pages, where the system has them, save the processor walks through page tables. Throws RuntimeError when
// the memory cannot be had.
void repack(Weights& weights, const gguf::File& file, std::span<const std::span<const std::byte>> rare,
            ThreadPool& pool);

}  // namespace bitnet
