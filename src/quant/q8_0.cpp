#include "quant/q8_0.h"

#include "base/all_finite.h"
#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::q8_0 {
namespace {

// The largest magnitude becomes 127, others are rounded to the nearest, halves away from zero, by the scale
// before it is rounded to f16: as quantize_row_q8_0_ref of
// https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c does.
bool encode(std::span<const float, Block::kElements> values, Block& block) {
  if (const auto units = find_units(values)) {
    block.d = units->d;
    for (std::size_t i = 0; i < values.size(); ++i) {
      block.q[i] = static_cast<std::int8_t>(units->of(values[i]));
    }
    return true;
  }
  if (!all_finite(values)) return false;
  float most = 0;
  for (const float v : values) most = std::max(most, std::fabs(v));
  const float d = most / 127;
  block.d = f32_to_f16(d);
  if (std::isinf(f16_to_f32(block.d))) return false;
  const float steps = std::isfinite(1 / d) ? 1 / d : 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    block.q[i] = static_cast<std::int8_t>(std::round(values[i] * steps));
  }
  return true;
}

}  // namespace

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    return f16_to_f32(b.d) * static_cast<float>(b.q[j]);
  });
}

bool encode_row(const float* values, std::size_t cols, std::byte* out) {
  return encode_blocks<Block>(values, cols, out, encode);
}

}  // namespace bitnet::quant::q8_0
