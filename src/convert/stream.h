// Writing a plan's tensors, piece by piece.
#pragma once

#include <functional>

#include "base/thread_pool.h"
#include "convert/layout.h"
#include "convert/output_parts.h"
#include "convert/plan.h"
#include "convert/source.h"

namespace bitnet::convert {

// Called on the calling thread with the share that is done; false ends the work with a RuntimeError.
using Progress = std::function<bool(double fraction)>;

// Throws ModelError for values that do not go into their type, RuntimeError where the disk is full.
void write_tensors(const Source& source, const Plan& plan, const Layout& layout, const OutputParts& out,
                   ThreadPool& pool, const Progress& progress);
// Makes what would be written, and throws likewise where a type does not hold it.
void try_tensors(const Source& source, const Plan& plan, ThreadPool& pool, const Progress& progress);

}  // namespace bitnet::convert
