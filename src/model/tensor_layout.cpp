#include "model/tensor_layout.h"

namespace bitnet {

quant::StoredTensor stored_tensor(const gguf::File& file, const gguf::Tensor& tensor) {
  return {.id = tensor.type,
          .rows = tensor.n_elements() / tensor.dims[0],
          .cols = tensor.dims[0],
          .room = tensor.extent.size(),
          .alignment = file.part(tensor.part).alignment()};
}

}  // namespace bitnet
