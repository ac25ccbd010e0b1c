#include "model/linear.h"

#include <algorithm>

namespace bitnet {
namespace {

// Multiply-adds in one block, the least that is claimed: some 2 us of a vector backend, so that the last of
// them, which one thread does while the others wait, is short.
constexpr std::size_t kBlockWork = 1U << 18;
// Blocks are whole multiples of this many rows: of a cache line of y, so that threads share none, and of the
// kernels' row tiles (3, 4 and 12), so that none is cut.
constexpr std::size_t kRowMultiple = 48;

void multiply_rows(const kernels::Kernels& kernels, const Product& p, ActivationType activations,
                   std::size_t begin, std::size_t end, const ProductInput& x, std::size_t first_token,
                   std::size_t n_tokens) {
  const kernels::OutputRows y{p.y, p.w.rows};
  const bool ternary = quant::info(p.w.type).ternary;
  if (ternary && activations == ActivationType::int8) {
    kernels::QuantizedRows rows = x.quantized();
    rows.q += first_token * rows.stride;
    rows.scale += first_token;
    rows.sum += first_token;
    kernels.matmul_ternary(p.w, begin, end, rows, n_tokens, y);
  } else {
    kernels::FloatRows rows = x.floats();
    rows.x += first_token * rows.stride;
    (ternary ? kernels.matmul_ternary_f32 : kernels.matmul_float)(p.w, begin, end, rows, n_tokens, y);
  }
}

}  // namespace

bool wants_quantized(std::span<const Product> products, ActivationType activations) {
  return activations == ActivationType::int8 &&
         std::any_of(products.begin(), products.end(),
                     [](const Product& p) { return quant::info(p.w.type).ternary; });
}

void multiply(const kernels::Kernels& kernels, ThreadPool& pool, std::span<const Product> products,
              ActivationType activations, const ProductInput& x, std::size_t first_token,
              std::size_t n_tokens) {
  std::size_t n_rows = 0;
  for (const Product& p : products) n_rows += p.w.rows;
  const std::size_t row_work = std::max<std::size_t>(1, x.width * n_tokens);
  const std::size_t grain = std::max<std::size_t>(1, kBlockWork / row_work / kRowMultiple) * kRowMultiple;
  pool.parallel_for(n_rows, grain, [&](std::size_t begin, std::size_t end) {
    for (const Product& p : products) {
      if (begin < p.w.rows && begin < end) {
        multiply_rows(kernels, p, activations, begin, std::min(end, p.w.rows), x, first_token, n_tokens);
      }
      const std::size_t passed = p.w.rows;
      begin = begin > passed ? begin - passed : 0;
      end = end > passed ? end - passed : 0;
    }
  });
}

}  // namespace bitnet
