// A mixture of experts: which of them a token is given to, and their products.
//
// Numerics. The router's products are float, as its weights are. A token's row goes through each of its
// experts by itself, so nothing in it depends on which tokens it is run with. Of the experts' outputs the
// sum is
//   ((s_1 y_1) + s_2 y_2) + ...      in falling order of the router's logits, equal ones in ascending order
// every product and every sum rounded by itself, with s_r = e_r / ((e_1 + e_2) + ...), e_r = exp(logit_r -
// logit_1): the softmax over all experts, made to add up to 1 over the chosen ones, in which the others' part
// cancels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "kernels/kernels.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/linear.h"

namespace bitnet {

// The n_used largest of n logits, largest first, to expert; their shares of the sum to share.
void choose_experts(const kernels::Kernels& kernels, std::span<const float> logits, std::size_t n_used,
                    std::uint32_t* expert, float* share);

// The rows of n_tokens * n_used (token, expert) pairs, sorted by expert: fills first_row, row_of and
// active.
void sort_by_expert(ExpertActivations& act, std::size_t n_tokens);

// One expert's rows of a stack of n_experts matrices.
quant::Matrix matrix_of_expert(const quant::Matrix& stack, std::size_t expert, std::size_t n_experts);

// Products of stacks of n_experts matrices: each row of x with the matrix of its expert. A product's y is
// [n_rows, stack rows / n_experts].
void multiply_by_expert(const kernels::Kernels& kernels, ThreadPool& pool, std::span<const Product> products,
                        ActivationType activations, const ProductInput& x, const ExpertActivations& act);

}  // namespace bitnet
