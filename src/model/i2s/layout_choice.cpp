#include "model/i2s/layout_choice.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/printable.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// Four rows each, of a matrix: enough that chance moves a column's share of zeros by 2 %, where trained ones
// differ by more.
constexpr std::size_t kSampledStretches = 128;
// Pairs between two looks whether it is decided: those of four layers.
constexpr std::size_t kBatch = 32;

struct Pair {
  const float* norm;
  const quant::Matrix* matrix;
};

bool is_i2s(const quant::Matrix& w) { return w.type == quant::TensorType::i2_s; }

// Matrices with the norm before them, in an order in which each batch has some of every kind and depth.
std::vector<Pair> pairs_of(const Weights& weights) {
  std::vector<Pair> pairs;
  const auto add = [&](const float* norm, const quant::Matrix& w) {
    if (norm != nullptr && is_i2s(w) && w.rows >= 4) pairs.push_back({norm, &w});
  };
  for (const LayerWeights& l : weights.layers) {
    for (const auto* w : {&l.attn_q, &l.attn_k, &l.attn_v}) add(l.attn_norm, *w);
    add(l.attn_sub_norm, l.attn_output);
    for (const auto* w : {&l.ffn_gate, &l.ffn_up}) add(l.ffn_norm, *w);
    add(l.ffn_sub_norm, l.ffn_down);
  }
  std::vector<Pair> mixed;
  const std::size_t step = (pairs.size() + kBatch - 1) / kBatch;
  for (std::size_t first = 0; first < step; ++first) {
    for (std::size_t i = first; i < pairs.size(); i += step) mixed.push_back(pairs[i]);
  }
  return mixed;
}

// Of a sample of rows, evenly spread; rows left over from fours are left out.
PlaceCounts count(const quant::Matrix& w) {
  const std::size_t n = w.rows / 4;
  const std::size_t n_taken = std::min(n, kSampledStretches);
  PlaceCounts counts(w.cols);
  for (std::size_t i = 0; i < n_taken; ++i) counts.add({w.data + i * n / n_taken * w.cols, w.cols});
  return counts;
}

// In batches, until it is decided or there are no more. `done` is called with each matrix.
template <typename Done>
LayoutJudge judge(const std::vector<Pair>& pairs, ThreadPool& pool, Done done) {
  LayoutJudge judge;
  for (std::size_t first = 0; first < pairs.size() && !judge.verdict(); first += kBatch) {
    std::vector<std::optional<LayoutEvidence>> found(std::min(kBatch, pairs.size() - first));
    pool.parallel_for(found.size(), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto& [norm, w] = pairs[first + i];
        found[i] = layout_evidence(count(*w), {norm, w->cols});
        done(*w);
      }
    });
    for (const auto& evidence : found) {
      if (evidence) judge.add(*evidence);
    }
  }
  return judge;
}

LayoutVerdict verdict_of(const std::optional<I2sLayout>& layout) {
  if (!layout) return LayoutVerdict::unknown;
  switch (*layout) {
    case I2sLayout::x86:
      return LayoutVerdict::x86;
    case I2sLayout::arm:
      return LayoutVerdict::arm;
    case I2sLayout::rows4:
      break;
  }
  return LayoutVerdict::rows4;
}

std::optional<I2sLayout> layout_of(LayoutVerdict verdict) {
  for (const I2sLayout layout : kI2sLayouts) {
    if (verdict == verdict_of(layout)) return layout;
  }
  return std::nullopt;
}

std::optional<I2sLayout> read_key(const gguf::File& file) {
  const auto value = file.get_string(kI2sLayoutKey);
  if (!value) return std::nullopt;
  if (const auto layout = find_i2s_layout(*value)) return layout;
  throw ModelError(printable(file.name(), kMaxPrintedPath),
                   "key " + std::string(kI2sLayoutKey) + ": '" + printable(*value, kMaxPrintedName) +
                       "' is no layout: there are " + i2s_layout_names(),
                   "convert the model again; if the key alone is wrong, --i2s-layout says what is right");
}

}  // namespace

LayoutChoice choose_i2s_layout(const gguf::File& file, const Weights& weights, std::optional<I2sLayout> asked,
                               std::optional<LayoutVerdict> earlier, ThreadPool& pool, bool gives_back) {
  bool any = false;
  for_each_matrix(weights, [&](const quant::Matrix& w) { any = any || is_i2s(w); });
  if (!any) return {};
  if (asked) return {{asked, Certainty::said, "asked for when it was loaded"}, earlier};
  if (const auto layout = read_key(file)) {
    return {{layout, Certainty::said, "its key " + std::string(kI2sLayoutKey) + " says so"}, earlier};
  }
  std::string evidence = "as its weights showed when they were checked";
  if (!earlier) {
    const LayoutJudge found = judge(pairs_of(weights), pool, [&](const quant::Matrix& w) {
      if (gives_back) file.give_back({w.data, static_cast<std::size_t>(quant::n_bytes_of(w))});
    });
    earlier = verdict_of(found.verdict());
    evidence = found.text();
  }
  if (const auto layout = layout_of(*earlier)) return {{layout, Certainty::concluded, evidence}, earlier};
  return {{I2sLayout::x86, Certainty::assumed, "nothing tells: " + evidence}, earlier};
}

}  // namespace bitnet
