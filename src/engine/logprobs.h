// How likely the model held its tokens.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bitnet/types.h"

namespace bitnet {

struct TokenLogprob {
  TokenId id;
  double logprob;  // natural logarithm of the probability
};

// Log-probabilities under the model's own distribution: the softmax of all logits, before temperature,
// penalties and filters. The same bits on every machine. No allocation after construction.
class Logprobs {
 public:
  // Throws UsageError when more alternatives are asked for than the vocabulary has tokens.
  Logprobs(std::size_t n_top, std::size_t vocab_size);

  // Takes the finite logits [vocab] in which the rest is looked up; they must stay until then.
  void set(std::span<const float> logits);
  double of(TokenId id) const;
  // The n_top likeliest, best first; of equals the lower id comes first. Valid until set().
  std::span<const TokenLogprob> top() const { return top_; }

 private:
  std::span<const float> logits_;
  double log_total_ = 0;  // of exp(logit), all tokens together
  std::size_t n_top_;
  std::vector<TokenLogprob> top_;
};

}  // namespace bitnet
