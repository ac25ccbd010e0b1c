// Matrices of coded types in the order in which they are multiplied.
#pragma once

#include <functional>

#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "model/weights.h"

namespace bitnet {

// Copies every matrix of a coded type but the embedding, from which only rows are taken, to weights.lanes and
// gives the file's pages back as it goes. Neighbouring blocks that share a scale in every row of a matrix
// become one. keep_going is asked between two of them; false ends the work (RuntimeError), and so does memory
// that cannot be had. The copies are half as fast to make as they are to read, and multiplied at twice the
// speed that the blocks of files allow: no scale or sum is then folded across lanes.
void copy_to_lanes(Weights& weights, const gguf::File& file, ThreadPool& pool,
                   const std::function<bool()>& keep_going);

}  // namespace bitnet
