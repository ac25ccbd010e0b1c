#include "kernels/avx512/avx512.h"

#include "kernels/avx512/attention_q8.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/limits.h"
#include "kernels/avx512/screen.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/sparse.h"
#include "kernels/avx512/ternary.h"
#include "kernels/generic/table.h"

namespace bitnet::kernels::avx512 {
namespace {

// From this many tokens on, unpacking the weights to memory pays. (On a Zen 4, whose products leave other
// instructions room beside them, hardly ever; where they share their ports, earlier.)
constexpr std::size_t kGemmTokens = 64;

void matmul_ternary(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  if (n_tokens >= kGemmTokens) return gemm_i2_s(w, row_begin, row_end, x, n_tokens, y);
  if (n_tokens > 1) return few_tokens_i2_s(w, row_begin, row_end, x, n_tokens, y);
  gemv_i2_s(w, row_begin, row_end, x, 0, y);
}

constexpr Kernels kTable =
    generic::make_table<F32x16, decode_i2_s>({.name = "avx512",
                                              .attention_q8 = generic::attention_q8<F32x16, PairDots>,
                                              .matmul_ternary = matmul_ternary,
                                              .ternary_rows = ternary_rows,
                                              .add_columns = add_columns,
                                              .matmul_lanes = matmul_lanes,
                                              .upper_products = upper_products,
                                              .five_bit_products = five_bit_products,
                                              .seven_bit_products = seven_bit_products,
                                              .bit_products = bit_products,
                                              .read_all = read_all,
                                              .int8_products = int8_products});

}  // namespace

const Kernels& table() { return kTable; }

}  // namespace bitnet::kernels::avx512
