// The forms in which a conversion is reported.
#pragma once

#include <string>

#include "convert/convert.h"

namespace bitnet::cli {

// For people, at most 80 columns wide but for names: what became of the tensors, a line for each kind, and
// what it comes to.
std::string format_conversion(const convert::ConvertReport& report);
// One object: see the schema convert.json.
std::string conversion_json(const convert::ConvertReport& report);

}  // namespace bitnet::cli
