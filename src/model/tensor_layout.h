// What the bytes of a file's tensors are.
#pragma once

#include <cstdint>

#include "gguf/gguf.h"
#include "quant/file_types.h"

namespace bitnet {

// As the types that are told by their size need it.
quant::StoredTensor stored_tensor(const gguf::File& file, const gguf::Tensor& tensor);

}  // namespace bitnet
