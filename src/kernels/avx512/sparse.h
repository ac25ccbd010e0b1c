// Ternary products of listed rows and columns, 512 bits at a time (kernels/sparse.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitnet::kernels::avx512 {

// See Kernels.
void ternary_rows(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                  const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y);
void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums);

}  // namespace bitnet::kernels::avx512
