// Fields of config.json that are not read: those that would make another graph of the same tensors are not
// to be passed over in silence.
#pragma once

#include <string>
#include <vector>

#include "convert/huggingface/families.h"
#include "convert/huggingface/field_reader.h"

namespace bitnet::convert {

// Throws ModelError naming the field for one that multiplies, caps, adds to or routes values and is not off
// or neutral; other unknown ones that are not off are named in `notes`. The shape's heads must be known.
void check_other_fields(const FieldReader& config, const HfFamily& family, const HfShape& shape,
                        std::vector<std::string>& notes);

}  // namespace bitnet::convert
