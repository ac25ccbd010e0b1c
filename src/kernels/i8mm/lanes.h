// Codes in lanes for SMMLA: a line's fields of four neighbouring columns, two of them side by side.
#pragma once

#include "kernels/generic/lane_codes.h"
#include "kernels/i8mm/tiles.h"
#include "kernels/neon/lanes.h"

namespace bitnet::kernels::i8mm {

struct Smmla {
  static constexpr std::size_t kPrefetchBytes = 0;
};
using Lanes = neon::Lanes<Smmla>;

template <generic::CodeKind kind>
class LaneSource {
 public:
  explicit LaneSource(const generic::LaneProduct& product) : product_(product) {}

  std::size_t cols() const { return product_.w.cols; }
  std::size_t step_of(std::size_t col) const { return product_.step_of(col); }
  std::size_t end_of_step(std::size_t step) const { return product_.end_of_step(step); }

  void fill(Panel& panel, std::size_t row, std::size_t n_pairs, std::size_t col, std::size_t end) const {
    const quant::Matrix& w = product_.w;
    constexpr std::size_t kFields = generic::fields_of(kind);
    constexpr std::size_t kColumns = 4 * kFields;
    const int32x4_t table = generic::table_of<Lanes>(w.lanes.codebook);
    // A vector of words is four rows, two pairs.
    for (std::size_t p = 0; p < n_pairs; p += 2) {
      const std::size_t r = row + 2 * p;
      const std::byte* const lines = product_.scales(r / kRows) + quant::lanes::scale_bytes(w.lanes, w.cols) +
                                     r % kRows * sizeof(std::uint32_t);
      for (std::size_t line = col / kColumns; line < end / kColumns; ++line) {
        const int32x4_t words = Lanes::load(lines + line * quant::lanes::kLineBytes);
        int8x16_t(*const to)[kPanelPairs] = panel.codes + (line * kColumns - col) / 8;
        generic::unrolled<kFields / 2>([&](auto i) __attribute__((always_inline)) {
          const int32x4_t left = generic::codes_of<Lanes, kind, 2 * i>(words, table);
          const int32x4_t right = generic::codes_of<Lanes, kind, 2 * i + 1>(words, table);
          to[i][p] = vreinterpretq_s8_s32(vzip1q_s32(left, right));
          to[i][p + 1] = vreinterpretq_s8_s32(vzip2q_s32(left, right));
        });
      }
    }
  }

  int32x4_t start(TokenPair tokens, std::size_t step, std::size_t end) const {
    const int32x4_t first = product_.taken_off<Lanes, kind>(tokens.first, step, end);
    const int32x4_t second = product_.taken_off<Lanes, kind>(tokens.second, step, end);
    return vzip1q_s32(first, second);
  }
  float32x4_t of_rows(std::size_t row, std::size_t step) const {
    const float32x4_t four = product_.scale_of<Lanes>(row / kRows, row % kRows / Lanes::kLanes, step);
    return row % 4 == 0 ? vzip1q_f32(four, four) : vzip2q_f32(four, four);
  }
  float32x4_t of_tokens(TokenPair tokens, std::size_t step) const {
    return vzip1q_f32(product_.unit_of<Lanes>(tokens.first, step),
                      product_.unit_of<Lanes>(tokens.second, step));
  }
  float32x4_t scaled(float32x4_t total, int32x4_t sum, float32x4_t row, float32x4_t token) const {
    return generic::add_step<Lanes>(total, sum, row, token);
  }
  void store(std::size_t token, std::size_t row, std::size_t, float32x4_t totals) const {
    product_.store<Lanes>(row / kRows, row % kRows / Lanes::kLanes, token, totals);
  }

 private:
  static constexpr std::size_t kRows = quant::lanes::kRows;

  const generic::LaneProduct& product_;
};

}  // namespace bitnet::kernels::i8mm
