// A model traced for a command: loaded, run with progress on the terminal, interruptible.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options/model_options.h"
#include "diagnostics/trace.h"

namespace bitnet::cli {

// nullopt when interrupted.
std::optional<Trace> trace_model(const Model& model, const ModelOptions& options,
                                 const TraceRequest& request);

// The names of all tensors, for the end of a command's help.
extern const char* const kTensorNames;

// The patterns of --tensors; none: everything. Throws UsageError for an empty one.
std::vector<std::string> parse_tensor_patterns(const std::string& list);

}  // namespace bitnet::cli
