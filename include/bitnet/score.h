// How likely a model holds a text that is given.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "bitnet/export.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// Of some tokens, each with all before it as its context.
struct Score {
  std::size_t n_tokens = 0;  // scored
  std::size_t n_bytes = 0;   // that they spell; a control token has none
  double logprob = 0;        // natural logarithm of the probability of all of them together

  double mean() const;           // of logprob, over the tokens; NaN without any
  double bits_per_byte() const;  // what an ideal coder would need; NaN without bytes
  double perplexity() const;     // exp(-mean)
};

// A token that was scored. `logits`, [vocab], are what came before it, during the call.
struct ScoredToken {
  std::size_t index = 0;  // in the ids
  TokenId id{};
  double logprob = 0;
  std::span<const float> logits{};
};

struct ScoreOptions {
  // The index of the first token that is scored; those before it are run as they are. The first token of a
  // sequence has nothing before it that could be a context, so that it cannot be 0.
  std::size_t first = 1;
  std::function<void(const ScoredToken&)> on_token{};
  std::function<bool()> keep_going{};  // asked now and then; false ends it
};

// Runs the ids, behind what the session holds, all but the last, and scores them: log-probabilities under the
// softmax of all logits, the same bits on every machine. Where keep_going ended it, fewer tokens are scored
// than there are. Throws UsageError for ids that do not fit or are outside the vocabulary, OptionError for
// `first`, RuntimeError when the model's output is not finite.
BITNET_API Score score(const Model& model, Session& session, std::span<const TokenId> ids,
                       const ScoreOptions& options = {});

}  // namespace bitnet
