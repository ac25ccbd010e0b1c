#include "kernels/i8mm/i8mm.h"

#include "kernels/dotprod/dotprod.h"
#include "kernels/i8mm/i2_s.h"
#include "kernels/i8mm/lanes.h"

namespace bitnet::kernels::i8mm {
namespace {

// From this many tokens on, laying out pairs of rows and of tokens pays.
constexpr std::size_t kGemmTokens = 16;

void matmul_ternary(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  if (n_tokens < kGemmTokens) return dotprod::table().matmul_ternary(w, row_begin, row_end, x, n_tokens, y);
  gemm(I2sSource(w, x, y), {x.q, x.stride, n_tokens}, row_begin, row_end);
}

void matmul_lanes(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                  const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y) {
  if (n_tokens < kGemmTokens) return dotprod::table().matmul_lanes(w, row_begin, row_end, x, n_tokens, y);
  const generic::LaneProduct product(w, x, y);
  const Tokens tokens{x.q, x.stride, n_tokens};
  switch (generic::kind_of(w.lanes.codebook)) {
    case generic::CodeKind::two_bits:
      return gemm(LaneSource<generic::CodeKind::two_bits>(product), tokens, row_begin, row_end);
    case generic::CodeKind::one_bit:
      return gemm(LaneSource<generic::CodeKind::one_bit>(product), tokens, row_begin, row_end);
    case generic::CodeKind::looked_up:
      return gemm(LaneSource<generic::CodeKind::looked_up>(product), tokens, row_begin, row_end);
  }
}

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 16;  // independent sums: more than latency times rate of any processor
  int32x4_t sum[kChains] = {};
  const int8x16_t codes = vdupq_n_s8(1);
  const int8x16_t activations = vdupq_n_s8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (int32x4_t& s : sum)
      __asm__ volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(s) : "w"(codes), "w"(activations));
  }
  return static_cast<double>(rounds) * kChains * 32;
}

Kernels make_table() {
  Kernels k = dotprod::table();
  k.name = "i8mm";
  k.matmul_ternary = matmul_ternary;
  k.matmul_lanes = matmul_lanes;
  k.int8_products = int8_products;
  return k;
}

}  // namespace

const Kernels& table() {
  static const Kernels table = make_table();
  return table;
}

}  // namespace bitnet::kernels::i8mm
