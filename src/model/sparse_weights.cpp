#include "model/sparse_weights.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <span>

#include "base/seconds_since.h"
#include "quant/i2_s.h"

namespace bitnet {
namespace {

constexpr std::size_t kCodeGroup = quant::i2_s::kGroup;
constexpr std::size_t kProbedLayers = 8;  // some 35 MB of each matrix at 2B-4T's size

bool is_i2_s(const quant::Matrix& w) { return w.type == quant::TensorType::i2_s; }

}  // namespace

bool can_leave_out_zeros(const Config& config, const Weights& weights) {
  return config.gate_activation == GateActivation::relu_squared && config.n_experts == 0 &&
         config.swiglu_clamp == 0 && config.ffn <= kernels::kMostColumns &&
         std::ranges::all_of(weights.layers, [](const LayerWeights& l) {
           return is_i2_s(l.ffn_gate) && is_i2_s(l.ffn_up) && is_i2_s(l.ffn_down);
         });
}

std::size_t column_copy_bytes(const Weights& weights) {
  std::size_t n_bytes = 0;
  for (const LayerWeights& l : weights.layers)
    n_bytes += quant::Columns{.rows = l.ffn_down.rows, .cols = l.ffn_down.cols}.n_bytes();
  return n_bytes;
}

SparseWeights copy_by_columns(const Weights& weights, const gguf::File& file, ThreadPool& pool) {
  SparseWeights sparse;
  sparse.file = &file;
  sparse.memory =
      AnonymousMemory(column_copy_bytes(weights),
                      {"a copy of the down products' weights by columns", "leave it out with --sparse off"});
  sparse.memory.prefer_huge_pages();
  auto* to = static_cast<std::byte*>(sparse.memory.data());
  for (const LayerWeights& l : weights.layers) {
    const quant::Matrix& from = l.ffn_down;
    const quant::Columns columns{.data = to, .rows = from.rows, .cols = from.cols};
    pool.parallel_for(from.cols / kCodeGroup, 2, [&](std::size_t begin, std::size_t end) {
      quant::copy_to_columns(from, begin * kCodeGroup, end * kCodeGroup, to);
    });
    file.give_back({from.data, quant::n_bytes_of(from)});
    sparse.ffn_down.push_back(columns);
    to += columns.n_bytes();
  }
  return sparse;
}

double measure_column_gain(const Weights& weights, const kernels::Kernels& kernels, ThreadPool& pool,
                           double share) {
  const std::size_t ffn = weights.layers[0].ffn_up.rows;
  const std::size_t hidden = weights.layers[0].ffn_up.cols;
  std::vector<std::int8_t> q((std::max(ffn, hidden) + 63) / 64 * 64, 1);
  std::vector<float> y(std::max(ffn, hidden));
  const float scale = 1;
  const std::int32_t sum = 0;
  const kernels::QuantizedRows x{q.data(), &scale, &sum, q.size()};
  std::vector<std::uint32_t> rows;
  std::minstd_rand random(1);
  const auto limit = static_cast<std::uint32_t>(share * static_cast<double>(std::minstd_rand::max()));
  for (std::uint32_t i = 0; i < ffn; ++i) {
    if (random() < limit) rows.push_back(i);
  }
  const std::size_t n_layers = std::min(weights.layers.size(), kProbedLayers);
  std::vector<double> gains;
  // Pages that are touched for the first time take longer than any product: the first round is not counted.
  for (std::size_t i = 0; i < 2 * n_layers; ++i) {
    const LayerWeights& l = weights.layers[i % n_layers * weights.layers.size() / n_layers];
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(l.ffn_down.rows, 48, [&](std::size_t begin, std::size_t end) {
      kernels.matmul_ternary(l.ffn_down, begin, end, x, 1, {y.data(), y.size()});
    });
    const double dense = seconds_since(start);
    const auto listed_start = std::chrono::steady_clock::now();
    pool.parallel_for(rows.size(), 48, [&](std::size_t begin, std::size_t end) {
      kernels.ternary_rows(l.ffn_up, rows.data() + begin, end - begin, x, 1, {y.data(), y.size()});
    });
    if (i >= n_layers) gains.push_back(dense / std::max(seconds_since(listed_start), 1e-9));
  }
  std::ranges::sort(gains);
  return gains[gains.size() / 2];
}

}  // namespace bitnet
