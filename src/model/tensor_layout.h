// What the bytes of a file's tensors are: told by the type's id, by the size where an id stands for several
// types, or by our own metadata.
#pragma once

#include <array>
#include <cstdint>

#include "gguf/gguf.h"
#include "model/custom_layout.h"
#include "quant/file_types.h"

namespace bitnet {

quant::StoredTensor stored_tensor(const gguf::File& file, const gguf::Tensor& tensor);

struct TensorLayout {
  const quant::TypeInfo* type = nullptr;  // nullptr: it is not read
  std::array<std::uint64_t, 4> dims{};    // of values, dims[0] the contiguous one

  std::uint64_t cols() const { return dims[0]; }
  std::uint64_t rows() const { return dims[1] * dims[2] * dims[3]; }
};

TensorLayout layout_of(const gguf::File& file, const gguf::Tensor& tensor, const CustomLayouts& custom);

}  // namespace bitnet
