// How well a model predicts a text.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "bitnet/session.h"
#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace bitnet {

// The text is cut into windows, each run by itself from an empty cache, in one of two ways. Both score every
// token at most once, and only where it has at least half a window (or window - stride tokens) before it;
// both count as llama.cpp's perplexity does.
//   stride 0: windows side by side. Scored are the tokens of each one's second half but for its first:
//             window - 1 - window/2 of them, at places window/2 + 1 to window - 1.
//   stride N: a window begins every N tokens. Scored are its last N tokens.
// Windows are always whole. What comes after the last one is left out, and said so.
// If the vocabulary wants a BOS, it stands in place of the first token of every window, which is never
// scored; the text's own beginning has a BOS of its own there, so nothing of it is lost.
//
// A text shorter than a window is one window of its own length: `whole`. There every token is scored but the
// first.
struct PerplexityOptions {
  std::size_t window = 512;
  std::size_t stride = 0;
  bool whole = false;  // the text is the window
};

// For a text of so many tokens: these options, or those for the whole text if it is shorter than a window.
PerplexityOptions fitted(const PerplexityOptions& options, std::size_t n_tokens);

struct PerplexityResult {
  std::size_t n_tokens = 0;       // of the text
  std::size_t n_windows = 0;      // run
  std::size_t n_scored = 0;       // tokens that the estimate is made of
  std::size_t n_bytes = 0;        // that these tokens spell; control tokens have none
  std::size_t n_left_out = 0;     // tokens after the last window
  double mean_nll = 0;            // of -log(probability), in nats
  double nll_standard_error = 0;  // of that mean, taking tokens for independent
  double perplexity = 0;          // exp(mean_nll)
  double standard_error = 0;      // of perplexity, to first order: perplexity * nll_standard_error
  double bits_per_byte = 0;       // what an ideal coder would need, which doesn't depend on the vocabulary
  bool complete = false;          // keep_going never said no
};

struct PerplexityHooks {
  std::function<bool()> keep_going;  // asked between chunks of tokens; false ends the run
  // The result so far, after every window, and how many there will be.
  std::function<void(const PerplexityResult& so_far, std::size_t n_windows)> on_window;
  std::function<void(double fraction)> on_progress;  // more often: of the whole work
};

// Windows that a text of so many tokens has. Throws UsageError for options that leave nothing to score.
std::size_t count_windows(std::size_t n_tokens, const PerplexityOptions& options);

// log(softmax(logits)[target]), in double, whatever the size of the logits. NaN if one of them is not finite.
double log_probability(std::span<const float> logits, TokenId target);

// `tokens`: the text, encoded with add_bos; long enough for a window. The session's context holds at least
// one. Throws UsageError for a text or options that leave fewer than two tokens to score (one of a `whole`
// text), RuntimeError when
// the model's output is not finite.
PerplexityResult measure_perplexity(Session& session, const Tokenizer& tokenizer,
                                    std::span<const TokenId> tokens, const PerplexityOptions& options,
                                    const PerplexityHooks& hooks = {});

}  // namespace bitnet
