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
  float temperature = 0.0F;         // 0: greedy; then every other option is without effect
  std::int32_t top_k = 0;           // keep the k best; 0: all
  float top_p = 1.0F;               // keep the best whose probabilities first reach p; 1: all
  float min_p = 0.0F;               // drop what is less likely than min_p times the best; 0: none
  float repeat_penalty = 1.0F;      // 1: off. Once for each token in the window, however often it occurs
  std::int32_t repeat_window = 64;  // in tokens; 0: off
  std::uint64_t seed = 0;
};

// Same logits, same options, same seed: same tokens, on every machine. No allocation after construction.
// In this order: repetition penalty, top-k, softmax at the temperature, top-p, min-p, draw.
class Sampler {
 public:
  // Throws UsageError when an option is out of its range, naming it.
  Sampler(const SamplerOptions& options, std::size_t vocab_size);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();

  // logits: [vocab]. history: the sequence so far, prompt included; only its last repeat_window tokens are
  // read. Ties go to the lower id. Returns nullopt if the logits hold a NaN or an infinity: the model's
  // output is broken.
  std::optional<TokenId> sample(std::span<const float> logits, std::span<const TokenId> history);

  // The part of the logits that is enough to choose from, `history` being the sequence so far; nullopt where
  // it takes all of them. The answer holds for these options whatever the history, but for the ids.
  std::optional<CandidateQuery> query(std::span<const TokenId> history) const;
  // The same choice from that part, as sample() makes from all: candidates in ascending order of ids.
  std::optional<TokenId> sample(std::span<const Candidate> candidates, std::span<const TokenId> history);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet
