// Tokens one after another until something says stop.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/export.h"
#include "bitnet/model.h"
#include "bitnet/prompt_cache.h"
#include "bitnet/sampler.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// A token that was generated, as on_token sees it.
struct TokenStep {
  TokenId id{};
  // [vocab] that it was chosen from, during the call; empty without all_logits
  std::span<const float> logits{};
  // Running the token before it (for the first, the prompt) and choosing; of one that was guessed right
  // choosing alone, since the pass that it was run in counts for the first token that came of it.
  double seconds = 0;
};

// Guesses at the tokens to come, copied from where the text so far read as its end does, and run together
// with the last token: those that turn out right cost little more than that one alone. Tokens, text and the
// sampler's state are the same with and without.
struct DraftOptions {
  static constexpr std::size_t kMostTokens = 15;

  std::size_t max_tokens = kMostTokens;  // of one guess; 0: none is made
  // As many as pay, by what passes took and how guesses came out so far, down to none; otherwise max_tokens
  // whenever there is anything to copy.
  bool adaptive = true;

  bool operator==(const DraftOptions&) const = default;
};

// "auto", "off", or how many tokens there are always.
BITNET_API std::string name_of(const DraftOptions& draft);

struct GenerateOptions {
  std::size_t max_tokens = static_cast<std::size_t>(-1);  // of new text
  std::vector<TokenId> stop_tokens{};                     // end the text and are not part of it
  // Likewise, wherever in the text they come to stand. One that is the spelling of a control token means that
  // token; beside other text a control token is refused unless it is shown.
  std::vector<std::string> stop_strings{};
  bool show_special = false;           // control tokens appear in the text with their spelling
  std::function<bool()> keep_going{};  // asked between tokens and between layers; false ends the run
  // Told how many of the prompt's tokens are run, or as good as run, and of how many, as it goes on.
  std::function<void(double n_done, std::size_t n_tokens)> on_prompt{};
  // Called for every token, a final stop token included, after the sink got what text became certain with it.
  std::function<void(const TokenStep&)> on_token{};
  bool all_logits = false;  // on_token reads logits: those of the whole vocabulary are needed
  DraftOptions draft{};
  PromptCache* prompt_cache =
      nullptr;  // from which the prompt comes as far as it is there, and to which it goes
};

// How guesses came out.
struct DraftCounts {
  std::size_t n_passes = 0;    // through the layers, after those of the prompt
  std::size_t n_drafted = 0;   // tokens guessed and run
  std::size_t n_accepted = 0;  // of them, those that were right
};

enum class StopReason {
  max_tokens,    // as many as were asked for
  stop_token,    // the model ended the text
  stop_string,   // a stop string appeared
  context_full,  // the session holds no more
  interrupted,   // the caller's sink said so
};

BITNET_API std::string_view name_of(StopReason reason);

struct GenerateResult {
  StopReason reason = StopReason::max_tokens;
  std::vector<TokenId> tokens;     // generated, a final stop token included
  std::size_t n_prompt = 0;        // tokens before the first, run or taken from a prompt cache
  std::size_t n_cached = 0;        // of them, those from the cache
  double prefill_seconds = 0;      // running them, or taking them from there
  double decode_seconds = 0;       // everything after
  std::size_t n_decode_steps = 0;  // tokens run after the prompt: one fewer than generated, or as many
  DraftCounts draft;               // what it took to run them; varies with the machine's speed
};

// Receives text as it becomes certain: valid UTF-8, never a part of a stop string. Returning false ends the
// run.
using TextSink = std::function<bool(std::string_view text)>;

// Runs the prompt in the session and goes on from there. `history` is the sequence that the session already
// holds (for the repetition penalty); the prompt and what is generated are appended to it. Throws UsageError
// for a prompt that is empty or does not fit and for stop strings that cannot be, OptionError for
// draft.max_tokens out of range, RuntimeError when the model's output is not finite.
BITNET_API GenerateResult generate(const Model& model, Session& session, Sampler& sampler,
                                   std::vector<TokenId>& history, std::span<const TokenId> prompt,
                                   const GenerateOptions& options, const TextSink& sink);

}  // namespace bitnet
