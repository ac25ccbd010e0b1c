#include "model/experts.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace bitnet {

void choose_experts(const kernels::Kernels& kernels, std::span<const float> logits, std::size_t n_used,
                    std::uint32_t* expert, float* share) {
  assert(n_used >= 1 && n_used <= logits.size());
  std::size_t n = 0;  // that are chosen; share holds their logits
  for (std::size_t e = 0; e < logits.size(); ++e) {
    std::size_t at = n;
    while (at > 0 && logits[e] > share[at - 1]) --at;
    if (at == n_used) continue;
    n = std::min(n + 1, n_used);
    std::copy_backward(expert + at, expert + n - 1, expert + n);
    std::copy_backward(share + at, share + n - 1, share + n);
    expert[at] = static_cast<std::uint32_t>(e);
    share[at] = logits[e];
  }
  const float largest = share[0];
  for (std::size_t r = 0; r < n_used; ++r) share[r] -= largest;
  kernels.exp(share, share, n_used);
  float sum = share[0];
  for (std::size_t r = 1; r < n_used; ++r) sum += share[r];
  for (std::size_t r = 0; r < n_used; ++r) share[r] /= sum;
}

void sort_by_expert(ExpertActivations& act, std::size_t n_tokens) {
  const std::span<const std::uint32_t> expert = act.expert.span().first(n_tokens * act.n_used);
  const std::span<std::uint32_t> first_row = act.first_row.span();  // [n_experts + 1]
  std::ranges::fill(first_row, 0U);
  for (const std::uint32_t e : expert) ++first_row[e + 1];
  act.n_active = 0;
  for (std::size_t e = 0; e + 1 < first_row.size(); ++e) {
    if (first_row[e + 1] > 0) act.active[act.n_active++] = static_cast<std::uint32_t>(e);
    first_row[e + 1] += first_row[e];
  }
  // Backwards, each expert's end moving down to its beginning, which is where the next one's stands.
  for (std::size_t i = expert.size(); i-- > 0;) act.row_of[i] = --first_row[expert[i] + 1];
  std::rotate(first_row.begin(), first_row.begin() + 1, first_row.end());
  first_row.back() = static_cast<std::uint32_t>(expert.size());
}

quant::Matrix matrix_of_expert(const quant::Matrix& stack, std::size_t expert, std::size_t n_experts) {
  quant::Matrix none = stack;
  none.rows = 0;
  quant::Matrix before = stack;
  before.rows = expert * (stack.rows / n_experts);
  quant::Matrix w = stack;
  w.rows = stack.rows / n_experts;
  // What a type has behind its rows (I2_S: its scale) is no part of a row.
  w.data += quant::n_bytes_of(before) - quant::n_bytes_of(none);
  return w;
}

void multiply_by_expert(const kernels::Kernels& kernels, ThreadPool& pool, std::span<const Product> products,
                        ActivationType activations, const ProductInput& x, const ExpertActivations& act) {
  const std::size_t n_experts = act.first_row.size() - 1;
  std::size_t rows_of_expert = 0;  // of all products
  for (const Product& p : products) rows_of_expert += p.w.rows / n_experts;
  const std::size_t n_rows = act.n_active * rows_of_expert;
  const std::size_t tokens_of_expert = act.first_row[n_experts] / act.n_active;
  pool.parallel_for(n_rows, row_grain(products, x.width, tokens_of_expert),
                    [&](std::size_t begin, std::size_t end) {
                      while (begin < end) {
                        const std::size_t e = act.active[begin / rows_of_expert];
                        const std::size_t from = begin % rows_of_expert;
                        const std::size_t to = std::min(rows_of_expert, from + (end - begin));
                        std::size_t passed = 0;
                        for (const Product& p : products) {
                          const quant::Matrix w = matrix_of_expert(p.w, e, n_experts);
                          const std::size_t first = std::max(from, passed);
                          const std::size_t last = std::min(to, passed + w.rows);
                          const std::size_t row = act.first_row[e];
                          if (first < last) {
                            multiply_rows(kernels, {w, p.y + row * w.rows}, activations, first - passed,
                                          last - passed, x, row, act.first_row[e + 1] - row);
                          }
                          passed += w.rows;
                        }
                        begin += to - from;
                      }
                    });
}

}  // namespace bitnet
