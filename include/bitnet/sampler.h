// Chooses the next token from logits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "bitnet/candidates.h"
#include "bitnet/export.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

struct SamplerOptions {
  float temperature = 0.0F;         // 0: greedy; then top_k, top_p, min_p and seed change nothing
  std::int32_t top_k = 0;           // keep the k best; 0: all
  float top_p = 1.0F;               // keep the best whose probabilities first reach p; 1: all
  float min_p = 0.0F;               // drop what is less likely than min_p times the best; 0: none
  float repeat_penalty = 1.0F;      // 1: off. Once for each token in the window, however often it occurs
  std::int32_t repeat_window = 64;  // in tokens; 0: off, -1: the whole sequence
  std::uint64_t seed = 0;
};

// Same logits, same options, same seed: same tokens, on every machine. No allocation after construction.
//
// In this order, which is llama.cpp's: repetition penalty, top-k, top-p, min-p, temperature, draw. So what is
// dropped depends on the probabilities that the model gave (of what the steps before left), and the
// temperature only on what they share out among themselves. Greedy takes the best after the penalty.
class Sampler {
 public:
  // Throws OptionError when an option is out of its range, UsageError for a vocabulary without tokens.
  Sampler(const SamplerOptions& options, std::size_t vocab_size);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();

  // logits: [vocab]. history: the sequence so far, prompt included; only its last repeat_window tokens are
  // read. Ties go to the lower id. Returns nullopt if the logits hold a NaN or an infinity: the model's
  // output is broken. Throws UsageError for more or fewer logits than the vocabulary has tokens.
  std::optional<TokenId> sample(std::span<const float> logits, std::span<const TokenId> history);

  // The part of the logits that is enough to choose from, `history` being the sequence so far; nullopt where
  // it takes all of them. The answer holds for these options whatever the history, but for the ids.
  std::optional<CandidateQuery> query(std::span<const TokenId> history) const;
  // The same choice from that part, as sample() makes from all: candidates in ascending order of ids. Throws
  // UsageError for none, for more than the vocabulary has tokens, and for an id outside of it.
  std::optional<TokenId> sample(std::span<const Candidate> candidates, std::span<const TokenId> history);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet
