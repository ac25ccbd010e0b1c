#include "model/rare_rows.h"

#include <algorithm>
#include <functional>

#include "model/head/head_copy.h"
#include "model/tensor_layout.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kKeptWhenTouched = 64;  // calls of copied()
constexpr std::uint32_t kMostKept = 4096;       // likewise, after many calls of touched()

}  // namespace

quant::Matrix RareRows::copy(const quant::Matrix& matrix, std::size_t row, std::size_t n,
                             std::byte* to) const {
  const quant::TypeInfo& type = quant::info(matrix.type);
  // Without the scale that some types have behind all rows.
  const std::size_t row_bytes = type.n_bytes(1, matrix.cols) - type.n_bytes(0, matrix.cols);
  file_.read({matrix.data + row * row_bytes, n * row_bytes}, to);
  quant::Matrix copied = matrix;
  copied.rows = n;
  copied.data = to;
  return copied;
}

void RareRows::touched() const {
  const std::uint32_t kept = n_kept_.load(std::memory_order_relaxed);
  n_kept_.store(std::min(kept + kKeptWhenTouched, kMostKept), std::memory_order_relaxed);
}

void RareRows::copied() const {
  std::uint32_t kept = n_kept_.load(std::memory_order_relaxed);
  while (kept > 0 && !n_kept_.compare_exchange_weak(kept, kept - 1, std::memory_order_relaxed)) {
  }
  if (kept == 1) file_.give_back(bytes_);
}

std::vector<std::span<const std::byte>> rare_matrices(const gguf::File& file, HeadKind head) {
  std::vector<std::span<const std::byte>> found;
  const gguf::Tensor* const embedding = file.find_tensor("token_embd.weight");
  const gguf::Tensor* const output = file.find_tensor("output.weight");
  const CustomLayouts custom = read_custom_layouts(file);
  const auto is_copied = [&](const gguf::Tensor& t) {
    const TensorLayout layout = layout_of(file, t, custom);
    return layout.type != nullptr && is_head_copied(head, *layout.type, layout.rows(), layout.cols());
  };
  if (embedding != nullptr && (output != nullptr || is_copied(*embedding)))
    found.push_back(embedding->extent);
  if (output != nullptr && is_copied(*output)) found.push_back(output->extent);
  return found;
}

std::vector<std::span<const std::byte>> without(const gguf::File& file,
                                                std::span<const std::span<const std::byte>> matrices) {
  const std::less<const std::byte*> before;
  std::vector<std::span<const std::byte>> left;
  for (std::size_t i = 0; i < file.n_parts(); ++i) left.push_back(file.part(i).bytes());
  for (const auto& matrix : matrices) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::span<const std::byte> all = left[i];
      if (before(matrix.data(), all.data()) || !before(matrix.data(), all.data() + all.size())) continue;
      const auto begin = static_cast<std::size_t>(matrix.data() - all.data());
      const std::size_t end = begin + std::min(matrix.size(), all.size() - begin);
      left[i] = all.first(begin);
      left.push_back(all.subspan(end));
      break;
    }
  }
  std::erase_if(left, [](const auto& bytes) { return bytes.empty(); });
  return left;
}

}  // namespace bitnet
