#include "model/tensor_layout.h"

namespace bitnet {

quant::StoredTensor stored_tensor(const gguf::File& file, const gguf::Tensor& tensor) {
  return {.id = tensor.type,
          .rows = tensor.n_elements() / tensor.dims[0],
          .cols = tensor.dims[0],
          .room = tensor.extent.size(),
          .alignment = file.part(tensor.part).alignment()};
}

TensorLayout layout_of(const gguf::File& file, const gguf::Tensor& tensor, const CustomLayouts& custom) {
  TensorLayout layout{nullptr, tensor.dims};
  if (const auto own = custom.find(&tensor); own != custom.end()) {
    layout.type = &quant::info(own->second.type);
    layout.dims[0] = own->second.cols;
  } else {
    layout.type = quant::find_type(stored_tensor(file, tensor));
  }
  return layout;
}

}  // namespace bitnet
