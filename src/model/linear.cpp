#include "model/linear.h"

#include <algorithm>

namespace bitnet {
namespace {

// Multiply-adds in one block, the least that is claimed: some 2 us of a vector backend, so that the last of
// them, which one thread does while the others wait, is short.
constexpr std::size_t kBlockWork = 1U << 18;
// Blocks are whole multiples of this many rows: of a cache line of y, so that threads share none, and of the
// kernels' row tiles (3, 4, 12 and 16), so that none is cut.
constexpr std::size_t kRowMultiple = 48;
// Of a cache line of y alone, where a block of more rows would take too long: the threads that are done wait
// for the one that has the last.
constexpr std::size_t kLeastMultiple = 16;
constexpr std::size_t kLongBlock = 16 * kBlockWork;
// For weights in lanes also of the four streams of groups of 16 rows in which they are decoded.
constexpr std::size_t kLaneRowMultiple = 192;

// Rows that a product counts for, so that the next one begins at a multiple too.
std::size_t places_of(const Product& p) {
  return (p.w.rows + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

}  // namespace

void multiply_rows(const kernels::Kernels& kernels, const Product& p, ActivationType activations,
                   std::size_t begin, std::size_t end, const ProductInput& x, std::size_t first_token,
                   std::size_t n_tokens) {
  const kernels::OutputRows y{p.y, p.w.rows};
  const bool ternary = quant::info(p.w.type).ternary;
  const bool is_rounded = activations != ActivationType::f32;
  if (p.w.type == quant::TensorType::lanes && is_rounded) {
    kernels.matmul_lanes(p.w, begin, end, x.blocks(first_token), n_tokens, y);
  } else if (ternary && is_rounded) {
    kernels::QuantizedRows rows = x.quantized();
    rows.q += first_token * rows.stride;
    rows.scale += first_token;
    rows.sum += first_token;
    kernels.matmul_ternary(p.w, begin, end, rows, n_tokens, y);
  } else {
    kernels::FloatRows rows = x.floats();
    rows.x += first_token * rows.stride;
    const auto matmul = p.w.type == quant::TensorType::lanes ? kernels.matmul_lanes_f32
                        : ternary                            ? kernels.matmul_ternary_f32
                                                             : kernels.matmul_float;
    matmul(p.w, begin, end, rows, n_tokens, y);
  }
}

std::size_t row_grain(std::span<const Product> products, std::size_t cols, std::size_t n_tokens) {
  const bool has_lanes =
      std::ranges::any_of(products, [](const Product& p) { return p.w.type == quant::TensorType::lanes; });
  const std::size_t row_work = std::max<std::size_t>(1, cols * n_tokens);
  const bool is_long = row_work * kRowMultiple > kLongBlock;
  const std::size_t multiple = is_long ? kLeastMultiple : has_lanes ? kLaneRowMultiple : kRowMultiple;
  return std::max<std::size_t>(1, kBlockWork / row_work / multiple) * multiple;
}

InputForm input_form(std::span<const Product> products, ActivationType activations) {
  const auto takes_int8 = [](const Product& p) { return quant::takes_int8(p.w.type); };
  if (activations == ActivationType::f32 || std::ranges::none_of(products, takes_int8))
    return InputForm::floats;
  return std::ranges::all_of(products, takes_int8) ? InputForm::int8 : InputForm::both;
}

void multiply(const kernels::Kernels& kernels, ThreadPool& pool, std::span<const Product> products,
              ActivationType activations, const ProductInput& x, std::size_t first_token,
              std::size_t n_tokens) {
  std::size_t n_rows = 0;
  for (const Product& p : products) n_rows += places_of(p);
  pool.parallel_for(n_rows, row_grain(products, x.width, n_tokens), [&](std::size_t begin, std::size_t end) {
    for (const Product& p : products) {
      if (begin < p.w.rows && begin < end) {
        multiply_rows(kernels, p, activations, begin, std::min(end, p.w.rows), x, first_token, n_tokens);
      }
      const std::size_t passed = places_of(p);
      begin = begin > passed ? begin - passed : 0;
      end = end > passed ? end - passed : 0;
    }
  });
}

}  // namespace bitnet
