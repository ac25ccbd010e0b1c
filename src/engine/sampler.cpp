#include "bitnet/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"
#include "kernels/exp.h"

namespace bitnet {
namespace {

struct Weighed {
  float logit;
  std::int32_t id;
  float weight;  // exp of the scaled logit, 1 for the best; a probability once divided by the total
};

// A strict total order, so that no selection algorithm has a choice left to make.
bool outranks(const Weighed& a, const Weighed& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

std::size_t to_size(std::int32_t count) { return static_cast<std::size_t>(count); }

bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  bool finite = true;
  for (const float v : values) finite &= (std::bit_cast<std::uint32_t>(v) & kExponent) != kExponent;
  return finite;
}

template <typename Number>
void require(bool in_range, std::string_view option, Number value, std::string_view range) {
  if (in_range) return;
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  assert(error == std::errc{});
  std::string message(option);
  message.append(" ").append(digits.data(), end).append(" is out of range: give ").append(range);
  throw UsageError(message);
}

void validate(const SamplerOptions& o) {
  // Written so that a NaN fails every one of them.
  require(o.temperature >= 0.0F && std::isfinite(o.temperature), "--temp", o.temperature,
          "0 (greedy) or a positive number");
  require(o.top_k >= 0, "--top-k", o.top_k, "0 (all) or a positive count");
  require(o.top_p > 0.0F && o.top_p <= 1.0F, "--top-p", o.top_p, "more than 0 and at most 1 (all)");
  require(o.min_p >= 0.0F && o.min_p < 1.0F, "--min-p", o.min_p, "0 (all) or more, and less than 1");
  require(o.repeat_penalty > 0.0F && std::isfinite(o.repeat_penalty), "--repeat-penalty", o.repeat_penalty,
          "a positive number; 1 is off");
  require(o.repeat_window >= 0, "repeat_window", o.repeat_window, "0 (off) or a positive count of tokens");
}

}  // namespace

struct Sampler::Impl {
  Impl(const SamplerOptions& o, std::size_t size) : options(o), vocab_size(size), random(o.seed) {
    if (options.temperature == 0.0F) return;
    adjusted.resize(vocab_size);
    scaled.resize(vocab_size);
    candidates.resize(vocab_size);
  }

  static TokenId greedy(std::span<const float> logits) {
    return TokenId{static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin())};
  }

  // The tokens that the penalty falls on, some of them many times.
  std::span<const TokenId> window(std::span<const TokenId> history) const {
    if (options.repeat_penalty == 1.0F) return {};
    return history.last(std::min(history.size(), to_size(options.repeat_window)));
  }

  float penalized(float logit) const {
    const float penalty = options.repeat_penalty;
    // An extreme penalty must not make an infinity of it.
    constexpr float kMax = std::numeric_limits<float>::max();
    return std::clamp(logit > 0.0F ? logit / penalty : logit * penalty, -kMax, kMax);
  }

  // Leaves the logits, penalty applied, in `adjusted`. Always computed from the untouched logits: a token
  // that occurs many times in the window is assigned the same value again.
  void penalize(std::span<const float> logits, std::span<const TokenId> history) {
    std::ranges::copy(logits, adjusted.begin());
    for (const TokenId token : window(history)) {
      if (to_index(token) < vocab_size) adjusted[to_index(token)] = penalized(logits[to_index(token)]);
    }
  }

  Weighed candidate(std::size_t id) const {
    return {.logit = adjusted[id], .id = static_cast<std::int32_t>(id), .weight = 0.0F};
  }

  // The top_k best, in ascending order of their ids.
  std::span<Weighed> select_top_k() {
    const std::size_t k = options.top_k == 0 ? vocab_size : std::min(vocab_size, to_size(options.top_k));
    for (std::size_t id = 0; id < k; ++id) candidates[id] = candidate(id);
    const std::span<Weighed> kept = std::span(candidates).first(k);
    if (k == vocab_size) return kept;
    // A heap with the worst of the kept on top: nearly all of a vocabulary costs one comparison each.
    std::ranges::make_heap(kept, outranks);
    for (std::size_t id = k; id < vocab_size; ++id) {
      const Weighed c = candidate(id);
      if (!outranks(c, kept.front())) continue;
      std::ranges::pop_heap(kept, outranks);
      kept.back() = c;
      std::ranges::push_heap(kept, outranks);
    }
    std::ranges::sort(kept, {}, &Weighed::id);
    return kept;
  }

  // The same from candidates, penalty applied.
  std::span<Weighed> select_top_k(std::span<const Candidate> given, std::span<const TokenId> history) {
    const std::span<const TokenId> penalty_on = window(history);
    std::size_t n = 0;
    for (const Candidate& c : given) {
      const bool repeats = std::ranges::find(penalty_on, c.id) != penalty_on.end();
      candidates[n++] = {.logit = repeats ? penalized(c.logit) : c.logit, .id = to_int(c.id), .weight = 0.0F};
    }
    std::span<Weighed> kept = std::span(candidates).first(n);
    if (options.top_k == 0 || to_size(options.top_k) >= n) return kept;
    const std::size_t k = to_size(options.top_k);
    std::ranges::nth_element(kept, kept.begin() + options.top_k, outranks);
    kept = kept.first(k);
    std::ranges::sort(kept, {}, &Weighed::id);
    return kept;
  }

  TokenId choose(std::span<Weighed> kept) {
    weigh(kept);
    return draw(select_min_p(select_top_p(kept)));
  }

  // Softmax at the temperature, not normalised. An extreme temperature makes infinities at most, and exp
  // takes those.
  void weigh(std::span<Weighed> kept) {
    const float best = std::ranges::max_element(kept, {}, &Weighed::logit)->logit;
    const std::span<float> x = std::span(scaled).first(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) x[i] = (kept[i].logit - best) / options.temperature;
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
  std::vector<float> adjusted;      // [vocab] logits after the penalty
  std::vector<float> scaled;        // [vocab] exp's argument and value
  std::vector<Weighed> candidates;  // [vocab]
};

Sampler::Sampler(const SamplerOptions& options, std::size_t vocab_size) {
  validate(options);
  if (vocab_size == 0 || vocab_size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
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
  assert(logits.size() == s.vocab_size);
  if (!all_finite(logits)) return std::nullopt;
  if (s.options.temperature == 0.0F) return Impl::greedy(logits);
  s.penalize(logits, history);
  return s.choose(s.select_top_k());
}

std::optional<CandidateQuery> Sampler::query(std::span<const TokenId> history) const {
  const SamplerOptions& o = impl_->options;
  if (o.temperature == 0.0F) return CandidateQuery{};
  const std::span<const TokenId> window = impl_->window(history);
  if (o.top_k > 0) {
    // The k best after the penalty: it may bring down as many tokens as the window holds, which k others
    // behind them then follow, and lift any of the window's own.
    return CandidateQuery{.n_best = to_size(o.top_k) + window.size(), .within = {}, .also = window};
  }
  // Without a penalty all that min-p keeps lie within this of the best: exp(-d / temperature) >= min_p, with
  // room for the roundings of d / temperature and exp.
  const bool penalizes = o.repeat_penalty != 1.0F && o.repeat_window > 0;
  if (o.min_p == 0.0F || o.top_p < 1.0F || penalizes) return std::nullopt;
  const float widest = 1e-3F - std::log(o.min_p) * 1.001F;
  const float within = o.temperature * widest;
  if (!std::isfinite(within)) return std::nullopt;
  return CandidateQuery{.n_best = 1, .within = within, .also = {}};
}

std::optional<TokenId> Sampler::sample(std::span<const Candidate> candidates,
                                       std::span<const TokenId> history) {
  Impl& s = *impl_;
  assert(!candidates.empty() && candidates.size() <= s.vocab_size);
  if (!std::ranges::all_of(candidates, [](const Candidate& c) { return std::isfinite(c.logit); }))
    return std::nullopt;
  if (s.options.temperature == 0.0F) return std::ranges::max_element(candidates, {}, &Candidate::logit)->id;
  return s.choose(s.select_top_k(candidates, history));
}

}  // namespace bitnet
