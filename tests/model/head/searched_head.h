// A head to search, and what a search is to find.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "model/head/head_search.h"

namespace bitnet::searched {

inline constexpr float kNanInput = std::numeric_limits<float>::quiet_NaN();

struct Head {
  Head(std::size_t rows, std::size_t cols, unsigned seed = 1) : values(rows * cols) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    for (float& v : values) v = normal(rng);
    w = {quant::TensorType::f32, rows, cols, reinterpret_cast<const std::byte*>(values.data()), 1.0F};
  }
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  std::span<float> row(std::size_t r) { return std::span(values).subspan(r * w.cols, w.cols); }

  std::vector<float> values;  // [rows, cols]
  quant::Matrix w;
};

inline std::vector<float> random_input(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

inline bool outranks(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
}

// What a query asks for, by computing and sorting everything.
inline std::vector<Candidate> by_sorting(const quant::Matrix& w, const CandidateQuery& query,
                                         const float* x) {
  std::vector<float> y(w.rows);
  kernels::find("scalar").matmul_float(w, 0, w.rows, {x, w.cols}, 1, {y.data(), w.rows});
  std::vector<Candidate> all;
  for (std::size_t r = 0; r < w.rows; ++r) all.push_back({TokenId{static_cast<std::int32_t>(r)}, y[r]});
  std::ranges::sort(all, outranks);
  const float least = query.within ? all[0].logit - *query.within : std::numeric_limits<float>::infinity();
  std::vector<Candidate> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool also = std::ranges::find(query.also, all[i].id) != query.also.end();
    if (i < query.n_best || all[i].logit >= least || also) kept.push_back(all[i]);
  }
  std::ranges::sort(kept, {}, [](const Candidate& c) { return to_int(c.id); });
  return kept;
}

// As a session does: where the search gives up, from all logits.
inline std::span<const Candidate> find(HeadSearch& search, const quant::Matrix& w,
                                       const CandidateQuery& query, const float* x,
                                       std::vector<float>& logits) {
  if (const auto found = search.find(query, x, logits)) return *found;
  kernels::find("auto").matmul_float(w, 0, w.rows, {x, w.cols}, 1, {logits.data(), w.rows});
  return search.choose_from_all(query, logits);
}

// Inputs of several kinds: such as allow coarse digits and such as do not.
inline std::vector<std::vector<float>> several_inputs(std::size_t n, std::size_t cols) {
  std::vector<std::vector<float>> inputs;
  for (unsigned i = 0; i < n; ++i) {
    inputs.push_back(random_input(cols, 30 + i));
    if (i % 3 == 1) inputs.back()[cols / 2] = 100;
  }
  return inputs;
}

}  // namespace bitnet::searched
