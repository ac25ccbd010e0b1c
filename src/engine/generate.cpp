#include "bitnet/generate.h"

#include <algorithm>
#include <chrono>

#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "engine/stop_strings.h"

namespace bitnet {
namespace {

using Clock = std::chrono::steady_clock;

// Carries tokens to the sink: bytes to valid UTF-8, then past the stop strings.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, const GenerateOptions& options, const TextSink& sink)
      // What is generated continues the prompt, so a first space belongs to it.
      : detokenizer_(tokenizer, options.show_special, false), stops_(options.stop_strings), sink_(sink) {
    text_.reserve(kReserve);
    certain_.reserve(kReserve);
  }

  enum class State { open, stopped, refused };

  State push(TokenId id) {
    text_.clear();
    detokenizer_.push(id, text_);
    return pass_on(false);
  }

  State finish() {
    text_.clear();
    detokenizer_.flush(text_);
    return pass_on(true);
  }

 private:
  static constexpr std::size_t kReserve =
      4096;  // longer than any token's text, so that a step allocates nothing

  State pass_on(bool last) {
    certain_.clear();
    bool stopped = stops_.push(text_, certain_);
    if (last && !stopped) stopped = stops_.flush(certain_);
    if (!certain_.empty() && !sink_(certain_)) return State::refused;
    return stopped ? State::stopped : State::open;
  }

  Detokenizer detokenizer_;
  StopStrings stops_;
  const TextSink& sink_;
  std::string text_;
  std::string certain_;
};

bool contains(std::span<const TokenId> ids, TokenId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// From all logits where they are there; else from what the sampler asks for, if that saves reading the whole
// head.
TokenId choose(Sampler& sampler, Session& session, std::span<const float> logits,
               std::span<const TokenId> history) {
  std::optional<CandidateQuery> query;
  if (logits.empty() && session.head() == HeadKind::screened) query = sampler.query(history);
  const std::optional<TokenId> id = query
                                        ? sampler.sample(session.candidates(*query), history)
                                        : sampler.sample(logits.empty() ? session.logits() : logits, history);
  if (!id) {
    throw RuntimeError("the model's output is not finite at position " + std::to_string(history.size()) +
                       "; the file is damaged or was converted wrongly");
  }
  return *id;
}

}  // namespace

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::stop_token:
      return "stop_token";
    case StopReason::stop_string:
      return "stop_string";
    case StopReason::context_full:
      return "context_full";
    case StopReason::interrupted:
      return "interrupted";
  }
  return "?";
}

GenerateResult generate(const Model& model, Session& session, Sampler& sampler, std::vector<TokenId>& history,
                        std::span<const TokenId> prompt, const GenerateOptions& options,
                        const TextSink& sink) {
  const std::vector<TokenId> control_stops =
      control_tokens_of(options.stop_strings, model.tokenizer(), options.show_special);
  GenerateResult result;
  result.n_prompt = prompt.size();
  const std::size_t room = session.ctx_size() - to_index(session.position()) + 1;
  result.tokens.reserve(std::min(options.max_tokens, room));
  history.reserve(history.size() + prompt.size() + result.tokens.capacity());
  TextStream text(model.tokenizer(), options, sink);

  const Clock::time_point prefill_start = Clock::now();
  std::function<void(double)> on_progress;
  if (options.on_prompt) on_progress = [&](double n_done) { options.on_prompt(n_done, prompt.size()); };
  const std::size_t start = to_index(session.position());
  const bool complete = session.advance(prompt, options.keep_going, on_progress);
  result.prefill_seconds = seconds_since(prefill_start);
  history.insert(history.end(), prompt.begin(), prompt.end());
  if (!complete) {
    result.n_prompt = to_index(session.position()) - start;
    result.reason = StopReason::interrupted;
    return result;
  }

  Clock::time_point decode_start = Clock::now();
  double run_seconds = result.prefill_seconds;
  // The reason to stop after this token, if there is one.
  const auto take = [&](TokenId id) -> std::optional<StopReason> {
    if (contains(options.stop_tokens, id) || contains(control_stops, id)) return StopReason::stop_token;
    switch (text.push(id)) {
      case TextStream::State::stopped:
        return StopReason::stop_string;
      case TextStream::State::refused:
        return StopReason::interrupted;
      case TextStream::State::open:
        break;
    }
    if (result.tokens.size() >= options.max_tokens) return StopReason::max_tokens;
    if (to_index(session.position()) == session.ctx_size()) return StopReason::context_full;
    return std::nullopt;
  };
  const auto step = [&]() -> std::optional<StopReason> {
    if (options.keep_going && !options.keep_going()) return StopReason::interrupted;
    const Clock::time_point choice_start = Clock::now();
    TokenStep token;
    if (options.all_logits) token.logits = session.logits();
    token.id = choose(sampler, session, token.logits, history);
    token.seconds = run_seconds + seconds_since(choice_start);
    // The head for the prompt's last token is no part of a decode step.
    if (result.tokens.empty()) decode_start = Clock::now();
    result.tokens.push_back(token.id);
    history.push_back(token.id);
    const std::optional<StopReason> stop = take(token.id);
    if (options.on_token) options.on_token(token);
    if (stop) return stop;
    const Clock::time_point run_start = Clock::now();
    if (!session.advance({&token.id, 1}, options.keep_going)) return StopReason::interrupted;
    run_seconds = seconds_since(run_start);
    ++result.n_decode_steps;
    return std::nullopt;
  };
  std::optional<StopReason> stop;
  if (options.max_tokens == 0) stop = StopReason::max_tokens;
  while (!stop) stop = step();
  result.reason = *stop;
  if (result.reason != StopReason::stop_string && result.reason != StopReason::interrupted) {
    switch (text.finish()) {
      case TextStream::State::stopped:
        result.reason = StopReason::stop_string;
        break;
      case TextStream::State::refused:
        result.reason = StopReason::interrupted;
        break;
      case TextStream::State::open:
        break;
    }
  }
  result.decode_seconds = seconds_since(decode_start);
  return result;
}

}  // namespace bitnet
