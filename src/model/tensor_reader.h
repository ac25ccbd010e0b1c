// The tensors of a file, handed out by name with their shape checked; remembers which were taken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "model/tensor_layout.h"
#include "quant/tensor_type.h"

namespace bitnet {

// Everything throws ModelError naming the tensor.
class TensorReader {
 public:
  explicit TensorReader(const gguf::File& file)
      : file_(file), custom_(read_custom_layouts(file)), taken_(file.tensors().size(), false) {}

  [[noreturn]] void refuse(std::string_view tensor, std::string_view what, std::string_view hint = {}) const;

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

  TensorLayout layout(const gguf::Tensor& tensor) const { return layout_of(file_, tensor, custom_); }

  // A tensor of the given shape, [rows, cols] with cols contiguous; rows = 1 stands for a vector.
  quant::Matrix matrix(const std::string& name, std::size_t rows, std::size_t cols);
  // name.weight, multiplied by name.scale where the file has one.
  quant::Matrix linear(const std::string& stem, std::size_t rows, std::size_t cols);
  // name.weight, [n, rows, cols], as the matrix [n * rows, cols]: one of each expert, one after another.
  quant::Matrix stacked(const std::string& stem, std::size_t n, std::size_t rows, std::size_t cols);
  // Small vectors of finite floats; copied only if not F32 already.
  const float* vector(const std::string& name, std::size_t n);

  void refuse_leftovers() const;

  std::vector<std::vector<float>> converted;  // what was copied

 private:
  // dims: of its values, the contiguous one first.
  quant::Matrix take(const std::string& name, const std::array<std::uint64_t, 4>& dims);

  const gguf::File& file_;
  CustomLayouts custom_;
  std::vector<bool> taken_;  // [n_tensors]
};

}  // namespace bitnet
