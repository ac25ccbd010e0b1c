#include "diagnostics/perplexity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "engine/session_choices.h"
#include "engine/session_impl.h"

namespace bitnet {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens run between two questions whether to go on: as many as take a fraction of a second, whatever the
// model and the backend. The result does not depend on it.
class PieceSize {
 public:
  std::size_t value() const { return size_; }
  void took(Clock::duration time) {
    if (time < kShort) size_ = std::min(2 * size_, kMost);
    if (time > kLong) size_ = std::max(size_ / 2, kFewest);
  }

 private:
  static constexpr std::size_t kFewest = 1;
  static constexpr std::size_t kMost = 128;
  static constexpr std::chrono::milliseconds kShort{100};
  static constexpr std::chrono::milliseconds kLong{400};
  std::size_t size_ = 1;
};

std::size_t step_of(const PerplexityOptions& o) { return o.stride == 0 ? o.window : o.stride; }

std::size_t first_scored(const PerplexityOptions& o) {
  if (o.whole) return 1;
  return o.stride == 0 ? o.window / 2 + 1 : o.window - o.stride;
}

void check(const PerplexityOptions& o) {
  if (o.whole) return;  // measure_perplexity() sees to the rest
  if (o.stride >= o.window) {
    throw UsageError("--stride " + std::to_string(o.stride) + " must be smaller than the window of " +
                     std::to_string(o.window) + " tokens: every scored token needs one before it");
  }
  if (first_scored(o) >= o.window) {
    throw UsageError("--ctx-size " + std::to_string(o.window) +
                     " leaves no token to score; give a window of 3 or more");
  }
}

// Mean and spread of what comes one by one (Welford).
struct Accumulator {
  std::size_t n = 0;
  double mean = 0;
  double squares = 0;  // of the distances from the mean

  void add(double value) {
    ++n;
    const double before = value - mean;
    mean += before / static_cast<double>(n);
    squares += before * (value - mean);
  }
  double standard_error() const {
    const auto count = static_cast<double>(n);
    return n < 2 ? 0 : std::sqrt(squares / (count - 1) / count);
  }
};

void write(const Accumulator& nll, std::size_t n_bytes, PerplexityResult& result) {
  result.n_scored = nll.n;
  result.n_bytes = n_bytes;
  result.bits_per_byte =
      nll.mean * static_cast<double>(nll.n) / std::numbers::ln2 / static_cast<double>(n_bytes);
  result.mean_nll = nll.mean;
  result.nll_standard_error = nll.standard_error();
  result.perplexity = std::exp(nll.mean);
  result.standard_error = result.perplexity * result.nll_standard_error;
}

}  // namespace

PerplexityOptions fitted(const PerplexityOptions& options, std::size_t n_tokens) {
  if (n_tokens >= options.window) return options;
  return {.window = n_tokens, .stride = 0, .whole = true};
}

std::size_t count_windows(std::size_t n_tokens, const PerplexityOptions& options) {
  check(options);
  return n_tokens < options.window ? 0 : (n_tokens - options.window) / step_of(options) + 1;
}

double log_probability(std::span<const float> logits, TokenId target) {
  double max = -std::numeric_limits<double>::infinity();
  for (const float l : logits) max = std::max(max, static_cast<double>(l));
  double sum = 0;
  for (const float l : logits) sum += std::exp(static_cast<double>(l) - max);
  return static_cast<double>(logits[to_index(target)]) - max - std::log(sum);
}

PerplexityResult measure_perplexity(Session& session, const Tokenizer& tokenizer,
                                    std::span<const TokenId> tokens, const PerplexityOptions& options,
                                    const PerplexityHooks& hooks) {
  const std::size_t n_windows = count_windows(tokens.size(), options);
  const std::size_t first = first_scored(options);
  if (options.whole && (options.window < 2 || options.window != tokens.size())) {
    throw UsageError("a text of " + std::to_string(tokens.size()) +
                     " tokens has none to score: every scored token needs one before it; pass a longer text");
  }
  if (!options.whole && n_windows * (options.window - first) < 2) {
    throw UsageError("a text of " + std::to_string(tokens.size()) +
                     " tokens has not two to score in windows of " + std::to_string(options.window) +
                     "; pass a longer text or a smaller --ctx-size");
  }
  PerplexityResult result;
  result.n_tokens = tokens.size();
  result.n_left_out = tokens.size() - ((n_windows - 1) * step_of(options) + options.window);
  Accumulator nll;
  std::size_t n_bytes = 0;
  std::vector<TokenId> window(options.window);
  PieceSize piece_size;
  const auto keep_going = [&](std::size_t place) {
    if (hooks.on_progress) {
      const double done = static_cast<double>(place) / static_cast<double>(options.window);
      hooks.on_progress((static_cast<double>(result.n_windows) + done) / static_cast<double>(n_windows));
    }
    return !hooks.keep_going || hooks.keep_going();
  };
  for (; result.n_windows < n_windows; ++result.n_windows) {
    const auto text = tokens.subspan(result.n_windows * step_of(options), options.window);
    std::ranges::copy(text, window.begin());
    if (tokenizer.adds_bos()) window.front() = *tokenizer.bos();
    session.rewind(Position{0});
    const std::span<const TokenId> run = window;
    // Nobody needs logits of the places before the one that predicts the first scored token.
    for (std::size_t at = 0; at < options.window - 1;) {
      if (!keep_going(at)) return result;
      const bool scores = at + 1 >= first;
      const std::size_t end = scores ? options.window - 1 : first - 1;
      const auto piece = run.subspan(at, std::min(piece_size.value(), end - at));
      const Clock::time_point start = Clock::now();
      if (!scores) {
        session.run(piece);
      } else {
        session.run_all(piece, [&](Position p, std::span<const float> logits) {
          const TokenId target = run[to_index(p) + 1];
          nll.add(-log_probability(logits, target));
          n_bytes += tokenizer.bytes_of(target).size();
        });
      }
      piece_size.took(Clock::now() - start);
      at += piece.size();
    }
    if (!std::isfinite(nll.mean)) {
      not_finite(session.impl().model, run, "in window " + std::to_string(result.n_windows + 1)).raise();
    }
    write(nll, n_bytes, result);
    if (hooks.on_window) {
      PerplexityResult so_far = result;
      ++so_far.n_windows;
      hooks.on_window(so_far, n_windows);
    }
  }
  result.complete = true;
  return result;
}

}  // namespace bitnet
