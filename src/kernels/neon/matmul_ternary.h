// Products of ternary weights, whatever the number of tokens.
#pragma once

#include "kernels/neon/few_tokens.h"
#include "kernels/neon/gemm.h"
#include "kernels/neon/gemv.h"

namespace bitnet::kernels::neon {

// From this many tokens on, unpacking the weights to memory pays.
inline constexpr std::size_t kGemmTokens = 16;

template <typename Dots>
void matmul_ternary(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  if (n_tokens >= kGemmTokens) return gemm_i2_s<Dots>(w, row_begin, row_end, x, n_tokens, y);
  if (n_tokens > 1) return few_tokens_i2_s<Dots>(w, row_begin, row_end, x, n_tokens, y);
  gemv_i2_s<Dots>(w, row_begin, row_end, x, 0, y);
}

}  // namespace bitnet::kernels::neon
