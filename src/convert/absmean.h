// Rounding to ternary weights as BitNet models are trained with it (arXiv 2402.17764):
//   s = max(mean |w|, 1e-5)    t = min(max(round(w / s), -1), 1), ties to even    w' = s t
#pragma once

#include <cstdint>
#include <span>

#include "quant/coded_row.h"

namespace bitnet::convert {

// Of a row; sums of rows are added in their order.
double sum_of_magnitudes(std::span<const float> values);
// s of a tensor of n values. Not finite if a value isn't.
float absmean_scale(double sum, std::uint64_t n);
// t of a row, under the one scale s.
void round_to_ternary(std::span<const float> values, float scale, quant::CodedRow& out);

}  // namespace bitnet::convert
