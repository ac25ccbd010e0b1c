// The feed-forward network of relu^2 without what cannot change a bit of it, for passes of a few tokens:
//   rows of ffn_up whose gate is at or below zero for every token: relu(gate)^2 is 0, and so is the product;
//   columns of ffn_down whose int8 input is zero for every token: they add nothing to an integer sum.
//
// Why the bits are those of the dense path. Where a gate is not above zero, 0 * up is +0 or -0 as long as up
// is finite, and NaN otherwise. up is (scale / x.scale) times an integer that is at most 128 * cols in
// magnitude: only where that bound is finite are rows left out. They have up = +0. A row that then holds +0
// for -0 has the same sum of squares (from +0 on), the same maximum and the same zeros among its int8 values.
// A gate that is NaN counts as one above zero. Sums over columns are of integers, whatever the scales are.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "bitnet/model.h"
#include "kernels/kernels.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/kept_rows.h"
#include "model/linear.h"
#include "model/sparse_choice.h"
#include "model/sparse_weights.h"
#include "model/weights.h"

namespace bitnet {

class SparseFeedForward {
 public:
  // Tokens of a pass that it takes: of more, few rows and columns are zero for all.
  static constexpr std::size_t kMostTokens = 4;

  SparseFeedForward(const Config& config, const Weights& weights, const SparseWeights& columns,
                    SparseMode mode, const kernels::Kernels& kernels, ThreadPool& pool);

  // gate and up products of x, as multiply() gives them but for rows of up whose gates are shut: 0.
  // gate, up: [n_tokens, ffn].
  void multiply_gate_up(std::size_t layer, const ProductInput& x, std::size_t n_tokens, float* gate,
                        float* up);
  // The down product of x. y: [n_tokens, hidden].
  void multiply_down(std::size_t layer, const ProductInput& x, std::size_t n_tokens, float* y);

  // Before and after a down product of more tokens, which is by rows. Rows that there is a copy of are not
  // kept in memory too, unless they were the way that was taken for a while.
  void bring_rows(std::size_t layer) const;
  void leave_rows(std::size_t layer);

  SparseWork take_work();  // since the last call

 private:
  bool bounds_are_finite(const quant::Matrix& up, const ProductInput& x, std::size_t n_tokens) const;
  void multiply_open_rows(const LayerWeights& w, const ProductInput& x, std::size_t n_tokens, float* gate,
                          float* up);
  void multiply_columns(std::size_t layer, const ProductInput& x, std::size_t n_tokens, float* y);
  void give_back_rows(std::size_t layer) const;
  std::int32_t* sums_of_thread(std::size_t n_used);
  std::size_t list_columns(const ProductInput& x, std::size_t n_tokens, std::size_t begin, std::size_t end,
                           std::size_t at);
  void finish_rows(const quant::Matrix& w, const ProductInput& x, std::size_t n_tokens, std::size_t begin,
                   std::size_t end, float* y) const;

  const Weights& weights_;
  const SparseWeights& columns_;
  SparseMode mode_;
  const kernels::Kernels& kernels_;
  ThreadPool& pool_;

  // A choice for each number of tokens.
  std::array<SparseChoice, kMostTokens> up_choice_;
  std::array<SparseChoice, kMostTokens> down_choice_;
  Buffer<float> open_share_;  // [n_layers, kMostTokens] of the gates, as it was lately
  Buffer<std::uint8_t>
      was_here_;   // [n_layers] whether a pass was: the first touches pages for the first time
  KeptRows rows_;  // of ffn_down, where there are columns too
  SparseWork done_;

  Buffer<std::uint32_t> list_;  // [ffn, and room to fill up each block's list]
  std::size_t q_stride_;        // as many
  Buffer<std::int8_t> q_;       // [kMostTokens, q_stride] inputs of listed columns
  // Each thread's sums of the columns that it takes, and for which product they are.
  std::size_t n_sums_;             // [kMostTokens, column_sums], and whole cache lines
  Buffer<std::int32_t> sums_;      // [n_threads, n_sums]
  Buffer<std::uint64_t> sums_of_;  // [n_threads]
  std::uint64_t product_ = 0;
  std::atomic<std::size_t> n_open_{0};  // rows of a product
};

}  // namespace bitnet
