// How long a draft is worth its while, learned from what passes cost and how guesses came out.
#pragma once

#include <array>
#include <cstddef>

#include "bitnet/generate.h"

namespace bitnet {

// A draft of k tokens makes a pass of k + 1. If it takes as long as c(k + 1) and yields e(k) tokens on
// average, the k with the most tokens per second is the best; c is measured pass by pass, and e follows from
// how often the next token was right after a match of each length, which shows for every token whether
// anything was drafted or not. So nothing is risked to learn that drafts fail. Where they nevertheless cost
// more than they gave, there are none until that is small beside all the time spent: results never depend on
// any of this, and no allocation is made.
class DraftPace {
 public:
  static constexpr std::size_t kMaxDraft = DraftOptions::kMostTokens;

  DraftPace();

  // The best length of a draft, at most `most`, behind a match of so many tokens. 0: none.
  std::size_t plan(std::size_t match_length, std::size_t most) const;

  // A match of so many tokens guessed the next one right, or not.
  void saw_guess(std::size_t match_length, bool right);
  // A pass over n_tokens (1 to kMaxDraft + 1), its logits and choices took so long, and `n_kept` tokens came
  // of it.
  void saw_pass(std::size_t n_tokens, double seconds, std::size_t n_kept);

  // For tests: what plan() goes by.
  double cost(std::size_t n_tokens) const;           // seconds; 0: too few passes of one token were seen
  double chance(std::size_t match_length) const;     // that the next token is right
  double gained_seconds() const { return gained_; }  // by drafts; negative: lost

 private:
  struct Cost {
    double seconds = 0;
    std::size_t n_seen = 0;
    std::size_t last_seen = 0;  // number of the pass
  };
  struct Chance {
    double rate = 0;
    double weight = 0;  // of what it goes by, in observations
  };

  bool is_known(std::size_t n_tokens) const;

  std::array<Cost, kMaxDraft + 2> costs_{};  // by tokens
  std::array<Chance, 8> chances_{};          // by class of length
  std::size_t n_passes_ = 0;
  double total_ = 0;   // seconds of all passes
  double gained_ = 0;  // seconds
};

}  // namespace bitnet
