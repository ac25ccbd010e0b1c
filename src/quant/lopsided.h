// Ternary values that were rounded to Q4_0 or Q5_0 as ggml does it: the first value of the largest magnitude
// in a block of 32 becomes the lowest code, -8 or -16, and codes end at +7 or +15. So -s, 0 and +s become -s,
// 0 and 7/8 s (15/16 s), or +s, 0 and -7/8 s, by which of them comes first, and nothing but these three codes
// occurs. https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c (quantize_row_q4_0_ref,
// quantize_row_q5_0_ref)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "quant/tensor_type.h"

namespace bitnet::quant::lopsided {

bool may_be(TensorType type);

// How many values of rows [begin, end) are of the sign that was shrunk. nullopt: a code occurs that ternary
// values do not leave.
std::optional<std::uint64_t> count_shrunk(const Matrix& w, std::size_t begin, std::size_t end);

// The values that the row had: -s, 0 and +s. out: [cols]
void restore_row(const Matrix& w, std::size_t row, float* out);

}  // namespace bitnet::quant::lopsided
