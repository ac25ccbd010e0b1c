#include "model/head_copy.h"

#include <cassert>
#include <vector>

#include "kernels/kernels.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

constexpr std::size_t kRowsAtATime = 512;

}  // namespace

Int8Head::Int8Head(const quant::Matrix& w, ThreadPool& pool)
    : memory(quant::i8_rows::n_bytes(w.rows, w.cols), "the int8 copy of the LM head (--head int8)") {
  assert(!quant::info(w.type).ternary);
  memory.prefer_huge_pages();
  matrix = {quant::TensorType::i8_rows, w.rows, w.cols, static_cast<const std::byte*>(memory.data()),
            w.scale};
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

}  // namespace bitnet
