#include "quant/q4_0.h"

#include "base/all_finite.h"
#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q4_0 {
namespace {

void put(std::size_t j, int q, Block& block) {
  block.q[j % 16] = static_cast<std::uint8_t>(j < 16 ? q : block.q[j - 16] | q << 4);
}

// The value of the largest magnitude becomes -8, others are rounded to the nearest, halves up, those above 7
// to 7, by the scale before it is rounded to f16: as quantize_row_q4_0_ref of
// https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c does.
bool encode(std::span<const float, Block::kElements> values, Block& block) {
  if (const auto units = find_units(values)) {
    block.d = units->d;
    for (std::size_t j = 0; j < values.size(); ++j) put(j, 8 + units->of(values[j]), block);
    return true;
  }
  if (!all_finite(values)) return false;
  const float d = extreme(values) / -8;
  block.d = f32_to_f16(d);
  if (std::isinf(f16_to_f32(block.d))) return false;
  const float steps = std::isfinite(1 / d) ? 1 / d : 0;
  for (std::size_t j = 0; j < values.size(); ++j) {
    put(j, std::min(15, static_cast<int>(values[j] * steps + 8.5F)), block);
  }
  return true;
}

}  // namespace

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    return f16_to_f32(b.d) * static_cast<float>(half_of(b.q, j) - 8);
  });
}

bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  return encode_blocks<Block>(values, cols, out, encode);
}

}  // namespace bitnet::quant::q4_0
