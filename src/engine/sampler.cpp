#include "bitnet/sampler.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/all_finite.h"
#include "bitnet/error.h"
#include "kernels/exp.h"

namespace bitnet {
namespace {

struct Weighed {
  float logit;
  std::int32_t id;
  float weight;  // exp of the logit, scaled or not, 1 for the best; a probability once divided by the total
};

// A strict total order, so that no selection algorithm has a choice left to make.
bool outranks(const Weighed& a, const Weighed& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

std::size_t to_size(std::int32_t count) { return static_cast<std::size_t>(count); }

template <typename Number>
void require(bool in_range, std::string_view option, Number value, std::string_view range) {
  if (in_range) return;
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  assert(error == std::errc{});
  std::string rest(" ");
  rest.append(digits.data(), end).append(" is out of range: give ").append(range);
  throw OptionError("", option, rest);
}

void validate(const SamplerOptions& o) {
  // Written so that a NaN fails every one of them.
  require(o.temperature >= 0.0F && std::isfinite(o.temperature), "temperature", o.temperature,
          "0 (greedy) or a positive number");
  require(o.top_k >= 0, "top_k", o.top_k, "0 (all) or a positive count");
  require(o.top_p > 0.0F && o.top_p <= 1.0F, "top_p", o.top_p, "more than 0 and at most 1 (all)");
  require(o.min_p >= 0.0F && o.min_p < 1.0F, "min_p", o.min_p, "0 (all) or more, and less than 1");
  require(o.repeat_penalty > 0.0F && std::isfinite(o.repeat_penalty), "repeat_penalty", o.repeat_penalty,
          "a positive number; 1 is off");
  require(o.repeat_window >= -1, "repeat_window", o.repeat_window,
          "-1 (the whole text), 0 (off) or a count of tokens");
}

}  // namespace

struct Sampler::Impl {
  Impl(const SamplerOptions& o, std::size_t size) : options(o), vocab_size(size), random(o.seed) {
    if (penalizes()) repeats.resize(vocab_size);
    if (is_greedy()) return;
    scaled.resize(vocab_size);
    candidates.resize(vocab_size);
  }

  bool is_greedy() const { return options.temperature == 0.0F; }
  bool penalizes() const { return options.repeat_penalty != 1.0F && options.repeat_window != 0; }

  // The tokens that the penalty falls on, some of them many times.
  std::span<const TokenId> window(std::span<const TokenId> history) const {
    if (!penalizes()) return {};
    if (options.repeat_window < 0) return history;
    return history.last(std::min(history.size(), to_size(options.repeat_window)));
  }

  void mark(std::span<const TokenId> penalty_on, bool repeats_now) {
    for (const TokenId token : penalty_on) {
      if (to_index(token) < vocab_size) repeats[to_index(token)] = repeats_now;
    }
  }

  // Once for each token, and always from the model's own logit: no penalty falls on a penalty.
  float adjusted(float logit, std::size_t id) const {
    if (repeats.empty() || !repeats[id]) return logit;
    const float penalty = options.repeat_penalty;
    // An extreme penalty must not make an infinity of it.
    constexpr float kMax = std::numeric_limits<float>::max();
    return std::clamp(logit > 0.0F ? logit / penalty : logit * penalty, -kMax, kMax);
  }

  // `logit_of(i)` is that of the i-th of `n` candidates, `id_of(i)` its id, ascending.
  template <typename LogitOf, typename IdOf>
  TokenId choose(std::size_t n, LogitOf logit_of, IdOf id_of, std::span<const TokenId> history) {
    const std::span<const TokenId> penalty_on = window(history);
    mark(penalty_on, true);
    const auto candidate = [&](std::size_t i) {
      const std::size_t id = id_of(i);
      return Weighed{.logit = adjusted(logit_of(i), id), .id = static_cast<std::int32_t>(id), .weight = 0.0F};
    };
    const TokenId chosen = is_greedy() ? best_of(n, candidate) : draw(select(select_top_k(n, candidate)));
    mark(penalty_on, false);
    return chosen;
  }

  template <typename CandidateOf>
  static TokenId best_of(std::size_t n, CandidateOf candidate) {
    Weighed best = candidate(0);
    for (std::size_t i = 1; i < n; ++i) {
      if (const Weighed c = candidate(i); c.logit > best.logit) best = c;
    }
    return TokenId{best.id};
  }

  // The top_k best, in ascending order of their ids.
  template <typename CandidateOf>
  std::span<Weighed> select_top_k(std::size_t n, CandidateOf candidate) {
    const std::size_t k = options.top_k == 0 ? n : std::min(n, to_size(options.top_k));
    for (std::size_t i = 0; i < k; ++i) candidates[i] = candidate(i);
    const std::span<Weighed> kept = std::span(candidates).first(k);
    if (k == n) return kept;
    // A heap with the worst of the kept on top: nearly all of a vocabulary costs one comparison each.
    std::ranges::make_heap(kept, outranks);
    for (std::size_t i = k; i < n; ++i) {
      const Weighed c = candidate(i);
      if (!outranks(c, kept.front())) continue;
      std::ranges::pop_heap(kept, outranks);
      kept.back() = c;
      std::ranges::push_heap(kept, outranks);
    }
    std::ranges::sort(kept, {}, &Weighed::id);
    return kept;
  }

  // What top-p and min-p leave, with the weights by which to draw.
  std::span<Weighed> select(std::span<Weighed> kept) {
    const float best = std::ranges::max_element(kept, {}, &Weighed::logit)->logit;
    const bool filters = options.top_p < 1.0F || options.min_p > 0.0F;
    if (filters) {
      weigh(kept, best, 1.0F);
      kept = select_min_p(select_top_p(kept));
    }
    if (!filters || options.temperature != 1.0F) weigh(kept, best, options.temperature);
    return kept;
  }

  // Softmax at a temperature, not normalised. An extreme temperature makes infinities at most, and exp takes
  // those.
  void weigh(std::span<Weighed> kept, float best, float temperature) {
    const std::span<float> x = std::span(scaled).first(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) x[i] = (kept[i].logit - best) / temperature;
    kernels::exp_array(x, x);
    for (std::size_t i = 0; i < kept.size(); ++i) kept[i].weight = x[i];
  }

  static double total_weight(std::span<const Weighed> kept) {
    double total = 0.0;
    for (const Weighed& c : kept) total += static_cast<double>(c.weight);
    return total;
  }

  // The fewest best whose probabilities reach top_p, best first. A heap gives them one at a time: the usual
  // handful costs one pass over the vocabulary, not a sort.
  std::span<Weighed> select_top_p(std::span<Weighed> kept) const {
    if (options.top_p == 1.0F) return kept;
    const auto ranks_below = [](const Weighed& a, const Weighed& b) { return outranks(b, a); };
    const double wanted = static_cast<double>(options.top_p) * total_weight(kept);
    std::ranges::make_heap(kept, ranks_below);
    double reached = 0.0;
    auto heap = kept;
    while (!heap.empty() && reached < wanted) {
      std::ranges::pop_heap(heap, ranks_below);
      reached += static_cast<double>(heap.back().weight);
      heap = heap.first(heap.size() - 1);
    }
    const auto chosen = kept.subspan(heap.size());
    std::ranges::reverse(chosen);
    return chosen;
  }

  // Those at least min_p times as likely as the best, in the order in which they stand.
  std::span<Weighed> select_min_p(std::span<Weighed> kept) const {
    if (options.min_p == 0.0F) return kept;
    const float best = std::ranges::max_element(kept, {}, &Weighed::weight)->weight;
    const double least = static_cast<double>(options.min_p) * static_cast<double>(best);
    const auto end = std::remove_if(kept.begin(), kept.end(), [least](const Weighed& c) {
      return static_cast<double>(c.weight) < least;
    });
    return {kept.begin(), end};
  }

  TokenId draw(std::span<const Weighed> kept) {
    // The standard's distributions may differ between libraries; the engine's bits may not.
    const double uniform = static_cast<double>(random() >> 11U) * 0x1p-53;  // in [0, 1)
    const double mark = uniform * total_weight(kept);
    double passed = 0.0;
    for (const Weighed& c : kept) {
      passed += static_cast<double>(c.weight);
      if (passed > mark) return TokenId{c.id};
    }
    return TokenId{kept.back().id};  // where rounding carried the mark up to the total itself
  }

  SamplerOptions options;
  std::size_t vocab_size;
  std::mt19937_64 random;
  std::vector<std::uint8_t> repeats;  // [vocab] whether the penalty falls on it; empty without one
  std::vector<float> scaled;          // [vocab] exp's argument and value
  std::vector<Weighed> candidates;    // [vocab]
};

Sampler::Sampler(const SamplerOptions& options, std::size_t vocab_size) {
  validate(options);
  if (vocab_size == 0 || vocab_size > to_size(std::numeric_limits<std::int32_t>::max())) {
    throw UsageError("sampler: a vocabulary of " + std::to_string(vocab_size) +
                     " tokens cannot be sampled from; give the size of the model's vocabulary");
  }
  impl_ = std::make_unique<Impl>(options, vocab_size);
}

Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

std::optional<TokenId> Sampler::sample(std::span<const float> logits, std::span<const TokenId> history) {
  Impl& s = *impl_;
  if (logits.size() != s.vocab_size) {
    throw UsageError("sampler: " + std::to_string(logits.size()) + " logits for a vocabulary of " +
                     std::to_string(s.vocab_size) +
                     " tokens; make the sampler with the size of the model's vocabulary");
  }
  if (!all_finite(logits)) return std::nullopt;
  if (s.is_greedy() && !s.penalizes()) {
    return TokenId{static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin())};
  }
  return s.choose(
      logits.size(), [logits](std::size_t i) { return logits[i]; }, [](std::size_t i) { return i; }, history);
}

std::optional<CandidateQuery> Sampler::query(std::span<const TokenId> history) const {
  const SamplerOptions& o = impl_->options;
  const std::span<const TokenId> window = impl_->window(history);
  if (impl_->is_greedy() || o.top_k > 0) {
    // The k best after the penalty: it may bring down as many tokens as the window holds, which k others
    // behind them then follow, and lift any of the window's own.
    const std::size_t k = impl_->is_greedy() ? 1 : to_size(o.top_k);
    return CandidateQuery{.n_best = k + window.size(), .within = {}, .also = window};
  }
  // Without a penalty all that min-p keeps lie within this of the best: exp(-d) >= min_p, with room for the
  // roundings of d and exp. The temperature comes later and drops none.
  if (o.min_p == 0.0F || o.top_p < 1.0F || impl_->penalizes()) return std::nullopt;
  return CandidateQuery{.n_best = 1, .within = 1e-3F - std::log(o.min_p) * 1.001F, .also = {}};
}

std::optional<TokenId> Sampler::sample(std::span<const Candidate> candidates,
                                       std::span<const TokenId> history) {
  Impl& s = *impl_;
  bool finite = true;
  bool inside = !candidates.empty() && candidates.size() <= s.vocab_size;
  for (const Candidate& c : candidates) {
    finite &= std::isfinite(c.logit);
    inside &= to_index(c.id) < s.vocab_size;  // a negative id becomes a large index
  }
  if (!inside) {
    throw UsageError("sampler: the candidates are not some of a vocabulary of " +
                     std::to_string(s.vocab_size) +
                     " tokens; make the sampler with the size of the model's vocabulary");
  }
  if (!finite) return std::nullopt;
  return s.choose(
      candidates.size(), [candidates](std::size_t i) { return candidates[i].logit; },
      [candidates](std::size_t i) { return to_index(candidates[i].id); }, history);
}

}  // namespace bitnet
