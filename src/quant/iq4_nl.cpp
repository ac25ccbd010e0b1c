#include "quant/iq4_nl.h"

#include "base/half.h"
#include "quant/block_format.h"

namespace bitnet::quant::iq4_nl {

void decode_row(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    return f16_to_f32(b.d) * static_cast<float>(kSteps[static_cast<std::size_t>(half_of(b.q, j))]);
  });
}

}  // namespace bitnet::quant::iq4_nl
