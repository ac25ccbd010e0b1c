#include "model/head/head_copy.h"

#include <cassert>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

constexpr std::size_t kRowsAtATime = 512;

quant::Matrix copy_at(const void* data, const quant::Matrix& w) {
  return {quant::TensorType::i8_rows, w.rows, w.cols, static_cast<const std::byte*>(data), w.scale};
}

}  // namespace

Int8Head::Int8Head(const quant::Matrix& w, ThreadPool& pool)
    : memory(quant::i8_rows::n_bytes(w.rows, w.cols), "the int8 copy of the LM head (--head int8)") {
  assert(!quant::is_low_bit(w.type));
  memory.prefer_huge_pages();
  matrix = copy_at(memory.data(), w);
  auto* codes = const_cast<std::int8_t*>(quant::i8_rows::codes(matrix));
  auto* scales = const_cast<float*>(quant::i8_rows::scales(matrix));
  const kernels::Kernels& kernels = kernels::find("auto");
  pool.parallel_for(w.rows, kRowsAtATime, [&](std::size_t begin, std::size_t end) {
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
