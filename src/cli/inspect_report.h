// The forms in which an examination of a model file is printed.
#pragma once

#include <string>

#include "model/inspection.h"

namespace bitnet::cli {

// For people, at most 80 columns wide. all_tensors: each by itself, not one line for each kind.
std::string format_inspection(const Inspection& inspection, bool all_tensors);
std::string inspection_json(const Inspection& inspection);

}  // namespace bitnet::cli
