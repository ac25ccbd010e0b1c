// Products of ternary weights, whatever the number of tokens.
#pragma once

#include "kernels/avx2/few_tokens.h"
#include "kernels/avx2/gemm.h"
#include "kernels/avx2/gemv.h"

namespace bitnet::kernels::avx2 {

// From this many tokens on, unpacking the weights to memory pays.
inline constexpr std::size_t kGemmTokens = 64;

template <typename Dot>
void matmul_ternary(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  if (n_tokens >= kGemmTokens) return gemm_i2_s<Dot>(w, row_begin, row_end, x, n_tokens, y);
  if (n_tokens > 1) return few_tokens_i2_s<Dot>(w, row_begin, row_end, x, n_tokens, y);
  gemv_i2_s<Dot>(w, row_begin, row_end, x, 0, y);
}

}  // namespace bitnet::kernels::avx2
