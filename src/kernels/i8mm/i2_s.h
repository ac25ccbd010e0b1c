// I2_S weights for SMMLA.
#pragma once

#include <cstring>

#include "kernels/i8mm/tiles.h"
#include "kernels/kernels.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::i8mm {

class I2sSource {
 public:
  I2sSource(const quant::Matrix& w, const QuantizedRows& x, const OutputRows& y) : w_(w), x_(x), y_(y) {}

  std::size_t cols() const { return w_.cols; }
  std::size_t step_of(std::size_t) const { return 0; }
  std::size_t end_of_step(std::size_t) const { return w_.cols; }

  void fill(Panel& panel, std::size_t row, std::size_t n_pairs, std::size_t col, std::size_t end) const {
    const std::size_t row_bytes = w_.cols / 4;
    const auto packed_at = [&](std::size_t r, std::size_t at) {
      return r < w_.rows ? neon::load_16(w_.data + r * row_bytes + at) : vdupq_n_u8(0);
    };
    for (std::size_t p = 0; p < n_pairs; ++p) {
      for (std::size_t at = col / 4; at < end / 4; at += neon::kVectorBytes) {
        const uint8x16_t first = packed_at(row + 2 * p, at);
        const uint8x16_t second = packed_at(row + 2 * p + 1, at);
        const std::size_t begin = at / neon::kGroupBytes * 128 + at % neon::kGroupBytes - col;
        generic::unrolled<4>([&](auto k) __attribute__((always_inline)) {
          const int64x2_t a = vreinterpretq_s64_s8(neon::codes_of<k>(first));
          const int64x2_t b = vreinterpretq_s64_s8(neon::codes_of<k>(second));
          int8x16_t(*const to)[kPanelPairs] = panel.codes + (begin + 32 * k) / 8;
          to[0][p] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
          to[1][p] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
        });
      }
    }
  }

  int32x4_t start(TokenPair tokens, std::size_t, std::size_t) const {
    const int32x2_t pair = {-x_.sum[tokens.first], -x_.sum[tokens.second]};
    return vcombine_s32(pair, pair);
  }
  float32x4_t of_rows(std::size_t, std::size_t) const { return vdupq_n_f32(w_.scale); }
  float32x4_t of_tokens(TokenPair tokens, std::size_t) const {
    const float32x2_t pair = {x_.scale[tokens.first], x_.scale[tokens.second]};
    return vcombine_f32(pair, pair);
  }
  // Of the one step.
  float32x4_t scaled(float32x4_t, int32x4_t sum, float32x4_t row, float32x4_t token) const {
    return vmulq_f32(vdivq_f32(row, token), vcvtq_f32_s32(sum));
  }
  void store(std::size_t token, std::size_t row, std::size_t n_rows, float32x4_t totals) const {
    float* const to = y_.y + token * y_.stride + row;
    if (n_rows == 4) return vst1q_f32(to, totals);
    float all[4];
    vst1q_f32(all, totals);
    std::memcpy(to, all, n_rows * sizeof *to);
  }

 private:
  const quant::Matrix& w_;
  const QuantizedRows& x_;
  const OutputRows& y_;
};

}  // namespace bitnet::kernels::i8mm
