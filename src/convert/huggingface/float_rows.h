// Rows of floats as they lie in a file, at any address.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "quant/tensor_type.h"

namespace bitnet::convert {

// The first value of F32, F16 or BF16 ones that is infinite or no number.
std::optional<std::size_t> find_non_finite(quant::TensorType type, std::span<const std::byte> values);

}  // namespace bitnet::convert
