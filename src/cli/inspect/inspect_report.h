// The forms in which an examination of a model file is printed.
#pragma once

#include <optional>
#include <string>

#include "diagnostics/head_effect.h"
#include "diagnostics/kv_effect.h"
#include "model/inspect/inspection.h"

namespace bitnet::cli {

// What was asked for besides the examination.
struct InspectionExtras {
  bool wants_head = false;              // --head int8
  bool wants_kv = false;                // --kv-type q8
  std::optional<HeadEffect> head = {};  // nullopt: it could not be measured, for the file is refused
  std::optional<KvEffect> kv = {};
};

// The report's first line: the file, and what it comes to.
std::string format_verdict(const Inspection& inspection);
// For people, at most 80 columns wide. all_tensors: each by itself, not one line for each kind.
std::string format_inspection(const Inspection& inspection, const InspectionExtras& extras, bool all_tensors);
std::string inspection_json(const Inspection& inspection, const InspectionExtras& extras);

}  // namespace bitnet::cli
