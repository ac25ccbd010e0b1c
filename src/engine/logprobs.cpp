#include "engine/logprobs.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

#include "base/portable_math.h"
#include "bitnet/error.h"
#include "kernels/exp.h"

namespace bitnet {
namespace {

double log_of_total(std::span<const float> logits) {
  const float best = *std::ranges::max_element(logits);
  double total = 0;
  std::array<float, 256> block{};  // no room for a whole vocabulary is needed
  for (std::size_t at = 0; at < logits.size();) {
    const auto x = std::span(block).first(std::min(block.size(), logits.size() - at));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = logits[at + i] - best;
    kernels::exp_array(x, x);
    for (const float weight : x) total += static_cast<double>(weight);
    at += x.size();
  }
  return static_cast<double>(best) + portable_log(total);  // the best alone adds 1: the total is positive
}

}  // namespace

Logprobs::Logprobs(std::size_t n_top, std::size_t vocab_size) : n_top_(n_top) {
  if (n_top > vocab_size) {
    throw OptionError("", "n_top",
                      " " + std::to_string(n_top) + " is out of range: give 0 to " +
                          std::to_string(vocab_size) + ", the size of the vocabulary");
  }
  top_.reserve(n_top);
}

void Logprobs::set(std::span<const float> logits) {
  assert(n_top_ <= logits.size());
  logits_ = logits;
  log_total_ = log_of_total(logits);
  // A heap with the worst of the kept on top: nearly all of a vocabulary costs one comparison each.
  const auto outranks = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  top_.clear();
  if (n_top_ == 0) return;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const TokenLogprob token{TokenId{static_cast<std::int32_t>(i)},
                             of(TokenId{static_cast<std::int32_t>(i)})};
    if (top_.size() == n_top_) {
      if (!outranks(token, top_.front())) continue;
      std::ranges::pop_heap(top_, outranks);
      top_.pop_back();
    }
    top_.push_back(token);
    std::ranges::push_heap(top_, outranks);
  }
  std::ranges::sort_heap(top_, outranks);
}

double Logprobs::of(TokenId id) const { return static_cast<double>(logits_[to_index(id)]) - log_total_; }

}  // namespace bitnet
