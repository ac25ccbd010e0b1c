#include "model/sparse_feed_forward.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "base/seconds_since.h"

namespace bitnet {
namespace {

constexpr const char* kListsPurpose = "the lists of sparse products";
constexpr std::size_t kGroup = kernels::kColumnGroup;
// Columns that a thread takes at least: some 15 us of reading where a fifth of them counts.
constexpr std::size_t kColumnGrain = 128;
constexpr std::size_t kLine = 64 / sizeof(std::int32_t);
constexpr std::size_t kRowsFinishedAtOnce = 4096;
// What a product of no columns costs, as a part of one of all: clearing sums and adding them up.
constexpr double kFixedWork = 0.02;
constexpr float kShareRate = 1.0F / 8;  // of the running mean

std::span<const std::byte> bytes_of(const quant::Matrix& w) { return {w.data, quant::n_bytes_of(w)}; }

// Whether the gate lets anything through: NaN does.
bool is_open(float gate) { return !(gate <= 0); }

// Calls fn with the number of tokens as a constant, for loops over single elements to be unrolled.
template <typename Function>
auto with_constant(std::size_t n_tokens, Function fn) {
  static_assert(SparseFeedForward::kMostTokens == 4);
  switch (n_tokens) {
    case 1:
      return fn(std::integral_constant<std::size_t, 1>());
    case 2:
      return fn(std::integral_constant<std::size_t, 2>());
    case 3:
      return fn(std::integral_constant<std::size_t, 3>());
    default:
      return fn(std::integral_constant<std::size_t, 4>());
  }
}

// Columns with an input that is not zero, for any token.
template <std::size_t N>
std::size_t count_columns(const std::int8_t* q, std::size_t stride, std::size_t n_columns) {
  constexpr std::size_t kAtOnce = 128;  // few enough to be counted in a byte
  std::size_t total = 0;
  for (std::size_t begin = 0; begin < n_columns; begin += kAtOnce) {
    const std::size_t end = std::min(begin + kAtOnce, n_columns);
    std::uint8_t n = 0;
    for (std::size_t i = begin; i < end; ++i) {
      std::int8_t any = q[i];
      for (std::size_t t = 1; t < N; ++t) any = static_cast<std::int8_t>(any | q[t * stride + i]);
      n = static_cast<std::uint8_t>(n + static_cast<std::uint8_t>(any != 0));
    }
    total += n;
  }
  return total;
}

// Rows of [begin, end) whose gate is open for any token, ascending, to list.
template <std::size_t N>
std::size_t list_open(const float* gate, std::size_t stride, std::size_t begin, std::size_t end,
                      std::uint32_t* list) {
  std::size_t n = 0;
  for (std::size_t i = begin; i < end; ++i) {
    bool any = false;
    for (std::size_t t = 0; t < N; ++t) any |= is_open(gate[t * stride + i]);
    list[n] = static_cast<std::uint32_t>(i);
    n += static_cast<std::size_t>(any);
  }
  return n;
}

// Columns [begin, end) of q that count, ascending, to list, and their inputs to listed_q. Returns how many.
template <std::size_t N>
std::size_t list_nonzero(const std::int8_t* __restrict__ q, std::size_t stride, std::size_t begin,
                         std::size_t end, std::uint32_t* __restrict__ list,
                         std::int8_t* __restrict__ listed_q, std::size_t listed_stride) {
  std::size_t n = 0;
  for (std::size_t i = begin; i < end; ++i) {
    int any = 0;
    for (std::size_t t = 0; t < N; ++t) {
      const std::int8_t input = q[t * stride + i];
      listed_q[t * listed_stride + n] = input;
      any |= input;
    }
    list[n] = static_cast<std::uint32_t>(i);
    n += static_cast<std::size_t>(any != 0);
  }
  return n;
}

}  // namespace

SparseFeedForward::SparseFeedForward(const Config& config, const Weights& weights,
                                     const SparseWeights& columns, SparseMode mode,
                                     const kernels::Kernels& table, ThreadPool& pool)
    : weights_(weights),
      columns_(columns),
      mode_(mode),
      kernels_(table),
      pool_(pool),
      open_share_(config.n_layers * kMostTokens, kListsPurpose),
      was_here_(config.n_layers, kListsPurpose),
      rows_(config.n_layers, mode == SparseMode::automatic, kListsPurpose),
      list_(config.ffn + (config.ffn / kColumnGrain + 1) * kGroup, kListsPurpose),
      q_stride_(list_.size()),
      q_(kMostTokens * q_stride_, kListsPurpose),
      n_sums_(columns.ffn_down.empty() ? 0 : kMostTokens * kernels::column_sums(columns.ffn_down[0]) + kLine),
      sums_(pool.n_threads() * n_sums_, kListsPurpose),
      sums_of_(pool.n_threads(), kListsPurpose) {
  std::ranges::fill(open_share_.span(), 0.5F);
}

SparseWork SparseFeedForward::take_work() { return std::exchange(done_, {}); }

// No product of up can be anything but finite.
bool SparseFeedForward::bounds_are_finite(const quant::Matrix& up, const ProductInput& x,
                                          std::size_t n_tokens) const {
  const auto largest_sum = 128.0F * static_cast<float>(up.cols);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    if (!std::isfinite(up.scale / x.scale[t] * largest_sum)) return false;
  }
  return true;
}

void SparseFeedForward::multiply_gate_up(std::size_t layer, const ProductInput& x, std::size_t n_tokens,
                                         float* gate, float* up) {
  assert(n_tokens >= 1 && n_tokens <= kMostTokens);
  const LayerWeights& w = weights_.layers[layer];
  SparseChoice& choice = up_choice_[n_tokens - 1];
  float& open_share = open_share_[layer * kMostTokens + n_tokens - 1];
  const double work = 1.0 + static_cast<double>(open_share);  // in matrices
  const bool is_sparse =
      bounds_are_finite(w.ffn_up, x, n_tokens) && (mode_ == SparseMode::on || choice.is_for_part(work));
  const auto start = std::chrono::steady_clock::now();
  if (is_sparse) {
    multiply_open_rows(w, x, n_tokens, gate, up);
  } else {
    const std::array products{Product{w.ffn_gate, gate}, Product{w.ffn_up, up}};
    multiply(kernels_, pool_, products, ActivationType::int8, x, 0, n_tokens);
  }
  if (was_here_[layer] != 0) choice.add(is_sparse, work, seconds_since(start));
  done_.up_products += 1;
  if (!is_sparse) return;
  done_.sparse_up_products += 1;
  const auto open = static_cast<float>(n_open_.load(std::memory_order_relaxed));
  open_share += kShareRate * (open / static_cast<float>(w.ffn_gate.rows) - open_share);
}

// A block of gates at a time and then its rows of up, so that some threads stream the former while others
// wait for the latter.
void SparseFeedForward::multiply_open_rows(const LayerWeights& w, const ProductInput& x, std::size_t n_tokens,
                                           float* gate, float* up) {
  const std::size_t ffn = w.ffn_gate.rows;
  const Product of_gate{w.ffn_gate, gate};
  n_open_.store(0, std::memory_order_relaxed);
  std::atomic<std::uint64_t> n_shut{0};
  pool_.parallel_for(
      ffn, row_grain({&of_gate, 1}, x.width, n_tokens), [&](std::size_t begin, std::size_t end) {
        kernels_.matmul_ternary(w.ffn_gate, begin, end, x.quantized(), n_tokens, {gate, ffn});
        std::uint32_t* const list = list_.data() + begin;
        const std::size_t n =
            with_constant(n_tokens, [&](auto N) { return list_open<N>(gate, ffn, begin, end, list); });
        for (std::size_t t = 0; t < n_tokens; ++t) {
          const std::span gates(gate + t * ffn + begin, end - begin);
          const std::size_t shut =
              n_tokens == 1 ? end - begin - n
                            : gates.size() - static_cast<std::size_t>(std::ranges::count_if(gates, is_open));
          n_shut.fetch_add(shut, std::memory_order_relaxed);
          std::memset(up + t * ffn + begin, 0, (end - begin) * sizeof(float));
        }
        kernels_.ternary_rows(w.ffn_up, list, n, x.quantized(), n_tokens, {up, ffn});
        n_open_.fetch_add(n, std::memory_order_relaxed);
      });
  done_.gates += n_tokens * ffn;
  done_.shut_gates += n_shut.load(std::memory_order_relaxed);
}

void SparseFeedForward::multiply_down(std::size_t layer, const ProductInput& x, std::size_t n_tokens,
                                      float* y) {
  assert(n_tokens >= 1 && n_tokens <= kMostTokens);
  const LayerWeights& w = weights_.layers[layer];
  SparseChoice& choice = down_choice_[n_tokens - 1];
  const std::size_t n_columns =
      with_constant(n_tokens, [&](auto N) { return count_columns<N>(x.q.data(), x.q_stride, x.width); });
  const double work = kFixedWork + static_cast<double>(n_columns) / static_cast<double>(x.width);
  const bool has_columns = !columns_.ffn_down.empty();
  const bool is_sparse =
      has_columns && (mode_ == SparseMode::on || choice.is_for_part(work, rows_.is_tried(layer)));
  const bool is_timed = was_here_[layer] != 0 && (is_sparse || rows_.are_here(layer));
  if (!is_sparse) bring_rows(layer);
  const auto start = std::chrono::steady_clock::now();
  if (is_sparse) {
    multiply_columns(layer, x, n_tokens, y);
  } else {
    const Product product{w.ffn_down, y};
    multiply(kernels_, pool_, {&product, 1}, ActivationType::int8, x, 0, n_tokens);
  }
  if (is_timed) choice.add(is_sparse, work, seconds_since(start));
  if (is_sparse ? rows_.leave_after_columns(layer) : rows_.leave_after_few(layer)) give_back_rows(layer);
  was_here_[layer] = 1;
  done_.inputs += n_tokens * x.width;
  if (n_tokens == 1) {
    done_.zero_inputs += x.width - n_columns;
  } else {
    for (std::size_t t = 0; t < n_tokens; ++t)
      done_.zero_inputs += x.width - count_columns<1>(x.q.data() + t * x.q_stride, 0, x.width);
  }
  done_.down_products += 1;
  done_.sparse_down_products += static_cast<std::uint64_t>(is_sparse);
}

void SparseFeedForward::bring_rows(std::size_t layer) const {
  if (columns_.ffn_down.empty() || rows_.are_here(layer)) return;
  columns_.file->populate(bytes_of(weights_.layers[layer].ffn_down));
}

void SparseFeedForward::leave_rows(std::size_t layer) {
  if (rows_.leave_after_many(layer)) give_back_rows(layer);
}

void SparseFeedForward::give_back_rows(std::size_t layer) const {
  if (!columns_.ffn_down.empty()) columns_.file->give_back(bytes_of(weights_.layers[layer].ffn_down));
}

// The columns of [begin, end) that count, to list_ from `at` on, and their inputs beside them; filled up to
// whole groups. Returns how many.
std::size_t SparseFeedForward::list_columns(const ProductInput& x, std::size_t n_tokens, std::size_t begin,
                                            std::size_t end, std::size_t at) {
  std::uint32_t* const list = list_.data() + at;
  const std::size_t n = with_constant(n_tokens, [&](auto N) {
    return list_nonzero<N>(x.q.data(), x.q_stride, begin, end, list, q_.data() + at, q_stride_);
  });
  const std::size_t filled = (n + kGroup - 1) / kGroup * kGroup;
  for (std::size_t i = n; i < filled; ++i) {
    list[i] = list[n - 1];
    for (std::size_t t = 0; t < n_tokens; ++t) q_[t * q_stride_ + at + i] = 0;
  }
  return filled;
}

// The calling thread's, cleared if they are of an earlier product.
std::int32_t* SparseFeedForward::sums_of_thread(std::size_t n_used) {
  const std::size_t thread = ThreadPool::thread_index();
  std::int32_t* const sums = sums_.data() + thread * n_sums_;
  if (sums_of_[thread] != product_) {
    std::memset(sums, 0, n_used * sizeof(std::int32_t));
    sums_of_[thread] = product_;
  }
  return sums;
}

void SparseFeedForward::multiply_columns(std::size_t layer, const ProductInput& x, std::size_t n_tokens,
                                         float* y) {
  const quant::Columns& w = columns_.ffn_down[layer];
  const std::size_t n_used = n_tokens * kernels::column_sums(w);
  ++product_;
  pool_.parallel_for(w.cols, kColumnGrain, [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin + begin / kColumnGrain * kGroup;
    const std::size_t n = list_columns(x, n_tokens, begin, end, at);
    kernels_.add_columns(w, {list_.data() + at, q_.data() + at, n, q_stride_, n_tokens},
                         sums_of_thread(n_used));
  });
  pool_.parallel_for(w.rows, kRowsFinishedAtOnce, [&](std::size_t begin, std::size_t end) {
    finish_rows(weights_.layers[layer].ffn_down, x, n_tokens, begin, end, y);
  });
}

// Rows of y from the sums of all threads.
void SparseFeedForward::finish_rows(const quant::Matrix& w, const ProductInput& x, std::size_t n_tokens,
                                    std::size_t begin, std::size_t end, float* y) const {
  constexpr std::size_t kQuarter = quant::Columns::kQuarterRows;
  const std::size_t stride = kernels::column_sums({.rows = w.rows, .cols = w.cols});
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const float scale = w.scale / x.scale[t];
    const std::int32_t activation_sum = x.sum[t];
    for (std::size_t row = begin; row < end;) {
      const std::size_t stop = std::min(end, (row / kQuarter + 1) * kQuarter);
      const unsigned shift = kernels::shift_of_column_sum(row);
      std::array<std::int32_t, kQuarter> total{};
      for (std::size_t thread = 0; thread < sums_of_.size(); ++thread) {
        if (sums_of_[thread] != product_) continue;
        const std::int32_t* sums = sums_.data() + thread * n_sums_ + t * stride + row;
        for (std::size_t i = 0; i < stop - row; ++i) total[i] += sums[i];
      }
      for (std::size_t i = 0; i < stop - row; ++i)
        y[t * w.rows + row + i] = scale * static_cast<float>((total[i] >> shift) - activation_sum);
      row = stop;
    }
  }
}

}  // namespace bitnet
