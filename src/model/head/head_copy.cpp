#include "model/head/head_copy.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

constexpr std::size_t kRowsAtATime = 256;
constexpr std::size_t kReadStretch = std::size_t{8} << 20;  // read before it is let go of

quant::Matrix copy_at(const void* data, const quant::Matrix& w) {
  return {quant::TensorType::i8_rows, w.rows, w.cols, static_cast<const std::byte*>(data), w.scale};
}

}  // namespace

bool is_head_copied(HeadKind use, const quant::TypeInfo& type, std::size_t rows, std::size_t cols) {
  if (use == HeadKind::exact || quant::is_low_bit(type.type)) return false;
  return use == HeadKind::int8 || type.n_bytes(rows, cols) * 8 >= 5 * rows * cols;
}

void read_through(const quant::Matrix& w, const gguf::File* file, ThreadPool& pool,
                  FunctionRef<void(std::size_t begin, std::size_t end)> body) {
  const std::size_t row_bytes = quant::n_bytes_of(w) / w.rows;
  const std::size_t stretch =
      std::max<std::size_t>(1, kReadStretch / (row_bytes * kRowsAtATime)) * kRowsAtATime;
  const auto bytes_of = [&](std::size_t begin, std::size_t end) {
    return std::span(w.data + begin * row_bytes, (end - begin) * row_bytes);
  };
  for (std::size_t first = 0; first < w.rows; first += stretch) {
    const std::size_t n = std::min(stretch, w.rows - first);
    pool.parallel_for(n, kRowsAtATime, [&](std::size_t begin, std::size_t end) {
      if (file != nullptr) file->populate(bytes_of(first + begin, first + end));
      body(first + begin, first + end);
    });
    if (file != nullptr) file->give_back(bytes_of(first, first + n));
  }
}

Int8Head::Int8Head(const quant::Matrix& w, ThreadPool& pool, const gguf::File* file)
    : memory(quant::i8_rows::n_bytes(w.rows, w.cols),
             {"the int8 copy of the LM head", "leave it out with --head exact"}) {
  assert(!quant::is_low_bit(w.type));
  memory.prefer_huge_pages();
  matrix = copy_at(memory.data(), w);
  auto* codes = const_cast<std::int8_t*>(quant::i8_rows::codes(matrix));
  auto* scales = const_cast<float*>(quant::i8_rows::scales(matrix));
  const kernels::Kernels& kernels = kernels::find("auto");
  read_through(w, file, pool, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(w.cols);
    for (std::size_t row = begin; row < end; ++row) {
      float per_value = 0;
      std::int32_t sum = 0;
      kernels.decode_float(w, row, values.data());
      kernels.quantize(values.data(), w.cols, w.cols, codes + row * w.cols, &per_value, &sum);
      scales[row] = 1 / per_value;
    }
  });
}

Int8Head::Int8Head(const quant::Matrix& w, MappedFile copy, std::size_t offset)
    : file(std::move(copy)), matrix(copy_at(file->bytes().data() + offset, w)) {
  assert(offset + quant::i8_rows::n_bytes(w.rows, w.cols) <= file->bytes().size());
}

std::span<const std::byte> Int8Head::bytes() const {
  return {matrix.data, quant::i8_rows::n_bytes(matrix.rows, matrix.cols)};
}

}  // namespace bitnet
