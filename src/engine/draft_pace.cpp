#include "engine/draft_pace.h"

#include <algorithm>
#include <cassert>

namespace bitnet {
namespace {

// The last length of each class, and what is believed of it before anything was seen.
constexpr std::array<std::size_t, 8> kClassEnds{2, 3, 4, 6, 8, 12, 20, static_cast<std::size_t>(-1)};
constexpr std::array<double, 8> kFirstRates{0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9};
constexpr double kFirstWeight = 4;
constexpr double kMostWeight = 48;  // what lies further back counts less and less

constexpr double kFirstCostOfAnother = 0.2;  // of a token's more in a pass, beside a pass of one
constexpr double kWeightOfLast = 0.2;        // in the average of a cost
constexpr double kMostRise = 1.5;            // at once: a pass that was disturbed by others says little
constexpr std::size_t kFirstPasses = 4;      // of which the fastest counts: the first find cold caches
constexpr std::size_t kLeastOfOne = 2;       // passes of one token before anything is drafted
constexpr std::size_t kForgetAfter = 256;    // passes; what was disturbed then is tried anew

constexpr double kLeastGain = 1.05;  // estimates are rough
constexpr double kMostLost = 0.015;  // of all time
constexpr double kMostSaved = 16;    // gains that later losses may use up, in passes of one token

std::size_t class_of(std::size_t match_length) {
  return static_cast<std::size_t>(std::ranges::lower_bound(kClassEnds, match_length) - kClassEnds.begin());
}

}  // namespace

DraftPace::DraftPace() {
  for (std::size_t i = 0; i < chances_.size(); ++i) chances_[i] = {kFirstRates[i], kFirstWeight};
}

bool DraftPace::is_known(std::size_t n_tokens) const {
  const Cost& c = costs_[n_tokens];
  if (n_tokens == 1) return c.n_seen >= kLeastOfOne;
  return c.n_seen > 0 && n_passes_ - c.last_seen <= kForgetAfter;
}

// Between lengths that are known a line; beyond the longest its slope from one token on.
double DraftPace::cost(std::size_t n_tokens) const {
  if (!is_known(1)) return 0;
  if (is_known(n_tokens)) return costs_[n_tokens].seconds;
  std::size_t below = n_tokens - 1;
  while (!is_known(below)) --below;
  std::size_t above = n_tokens + 1;
  while (above < costs_.size() && !is_known(above)) ++above;
  const double one = costs_[1].seconds;
  const double at_below = costs_[below].seconds;
  const auto steps = static_cast<double>(n_tokens - below);
  if (above < costs_.size()) {
    return at_below + (costs_[above].seconds - at_below) * steps / static_cast<double>(above - below);
  }
  const double slope =
      below == 1 ? kFirstCostOfAnother * one : (at_below - one) / static_cast<double>(below - 1);
  return at_below + std::max(slope, 0.0) * steps;
}

double DraftPace::chance(std::size_t match_length) const { return chances_[class_of(match_length)].rate; }

std::size_t DraftPace::plan(std::size_t match_length, std::size_t most) const {
  if (match_length == 0 || !is_known(1) || gained_ < -kMostLost * total_) return 0;
  most = std::min(most, kMaxDraft);
  const double one = costs_[1].seconds;
  std::size_t best = 0;
  double best_rate = kLeastGain / one;
  double reached = 1;   // the chance that all before were right
  double expected = 1;  // tokens of the pass
  for (std::size_t k = 1; k <= most; ++k) {
    reached *= chance(match_length + k - 1);
    expected += reached;
    const double rate = expected / std::max(cost(k + 1), one);
    if (rate <= best_rate) continue;
    best_rate = rate;
    best = k;
  }
  return best;
}

void DraftPace::saw_guess(std::size_t match_length, bool right) {
  if (match_length == 0) return;
  Chance& c = chances_[class_of(match_length)];
  c.weight = std::min(c.weight + 1, kMostWeight);
  c.rate += ((right ? 1.0 : 0.0) - c.rate) / c.weight;
}

void DraftPace::saw_pass(std::size_t n_tokens, double seconds, std::size_t n_kept) {
  assert(n_tokens >= 1 && n_tokens < costs_.size());
  ++n_passes_;
  total_ += seconds;
  if (n_tokens > 1 && is_known(1)) {
    const double one = costs_[1].seconds;
    gained_ = std::min(gained_ + static_cast<double>(n_kept) * one - seconds, kMostSaved * one);
  }
  Cost& c = costs_[n_tokens];
  if (n_tokens > 1 && !is_known(n_tokens)) c.n_seen = 0;
  const double expected = c.n_seen > 0 ? c.seconds : cost(n_tokens);
  const double believed = expected > 0 ? std::min(seconds, kMostRise * expected) : seconds;
  if (c.n_seen == 0) {
    c.seconds = believed;
  } else if (c.n_seen < kFirstPasses) {
    c.seconds = std::min(c.seconds, believed);
  } else {
    c.seconds += kWeightOfLast * (believed - c.seconds);
  }
  ++c.n_seen;
  c.last_seen = n_passes_;
}

}  // namespace bitnet
