// A matrix of a file's bytes, with the scale that they hold for all of it.
#pragma once

#include <cstddef>
#include <vector>

#include "quant/tensor_type.h"

namespace bitnet::test {

inline quant::Matrix stored_matrix(quant::TensorType type, std::size_t rows, std::size_t cols,
                                   const std::vector<std::byte>& bytes) {
  return {type, rows, cols, bytes.data(), quant::info(type).tensor_scale(bytes.data(), rows, cols)};
}

}  // namespace bitnet::test
