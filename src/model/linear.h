// Matrix products with weights of any type, split over threads by rows.
#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"
#include "bitnet/types.h"
#include "kernels/kernels.h"
#include "model/activations.h"
#include "quant/tensor_type.h"

namespace bitnet {

// One product: y[t, r] = sum over i of w[r, i] * x[t, i].
struct Product {
  const quant::Matrix& w;  // [rows, cols]
  float* y;                // [n_tokens, rows]
};

// What of their input these products read.
InputForm input_form(std::span<const Product> products, ActivationType activations);

// Rows [begin, end) of a product, on the calling thread.
void multiply_rows(const kernels::Kernels& kernels, const Product& p, ActivationType activations,
                   std::size_t begin, std::size_t end, const ProductInput& x, std::size_t first_token,
                   std::size_t n_tokens);

// How many rows of these products a thread takes at a time.
std::size_t row_grain(std::span<const Product> products, std::size_t cols, std::size_t n_tokens);

// Computes products that share their input, as one parallel loop over all their rows.
void multiply(const kernels::Kernels& kernels, ThreadPool& pool, std::span<const Product> products,
              ActivationType activations, const ProductInput& x, std::size_t first_token,
              std::size_t n_tokens);

}  // namespace bitnet
