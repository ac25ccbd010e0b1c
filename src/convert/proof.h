// Holding what was written against what it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "convert/layout.h"
#include "convert/plan.h"
#include "convert/source.h"
#include "convert/stream.h"
#include "gguf/gguf.h"

namespace bitnet::convert {

// Of a tensor's values as they are decoded, its factor and all scales included; zeros of either sign are
// equal.
struct TensorProof {
  bool is_equal = true;  // every value; the others are 0 then
  double max_error = 0;  // the largest difference, relative to the RMS of the source's values
  double rms_error = 0;  // likewise
};

struct Proof {
  std::vector<TensorProof> tensors;    // of the plan
  std::optional<std::string> failure;  // what is not as it has to be: the first
};

// Reads all of the file: header, places, types, and every value. Codes are compared as codes,
// and some rows of each tensor once more by the values that the types' reference decoders make of them.
Proof prove(const Source& source, const Plan& plan, const Layout& layout, const gguf::File& file,
            ThreadPool& pool, const Progress& progress);

}  // namespace bitnet::convert
