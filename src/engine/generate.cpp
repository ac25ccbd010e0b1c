#include "bitnet/generate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "engine/draft_index.h"
#include "engine/draft_pace.h"
#include "engine/session_choices.h"
#include "engine/session_impl.h"
#include "engine/text_ending.h"

namespace bitnet {
namespace {

using Clock = std::chrono::steady_clock;

// Takes back what was run for nothing, also where a caller's function throws.
class Unkept {
 public:
  explicit Unkept(Session& session) : session_(session) {}
  ~Unkept() {
    session_.impl().take_back(n);  // they are of the last pass, and not all of it
    if (cut_off) session_.impl().has_last = false;
  }
  Unkept(const Unkept&) = delete;
  Unkept& operator=(const Unkept&) = delete;

  std::size_t n = 0;     // tokens at the end of the sequence
  bool cut_off = false;  // as a pass that was left between layers: no logits are at hand

 private:
  Session& session_;
};

// Token after token behind a prompt that was run. A pass runs the last token chosen and, behind it, those of
// the draft; then each of them gives the next choice for as long as the choices are what was drafted.
class Generation {
 public:
  Generation(Session& session, Sampler& sampler, std::vector<TokenId>& history,
             const GenerateOptions& options, TextEnding& ending, GenerateResult& result)
      : session_(session),
        sampler_(sampler),
        history_(history),
        options_(options),
        ending_(ending),
        result_(result) {
    if (options.draft.max_tokens == 0 || session.max_pass() == 1) return;
    index_.emplace(history.size() + result.tokens.capacity());
    for (const TokenId id : history) index_->push(id);
  }

  // Until there is a reason to stop.
  StopReason run() {
    if (options_.max_tokens == 0) return StopReason::max_tokens;
    pass_seconds_ = result_.prefill_seconds;
    std::optional<StopReason> stop = take_choices();
    while (!stop) {
      stop = run_pass();
      if (!stop) stop = take_choices();
    }
    return *stop;
  }

  // When the first token was there: the head for the prompt's last one is no part of decoding.
  Clock::time_point decode_start() const { return decode_start_; }

 private:
  bool is_wanted() const { return !options_.keep_going || options_.keep_going(); }
  std::span<TokenId> draft() { return std::span(tokens_).subspan(1, n_draft_); }

  // Of the pass that was run.
  std::optional<StopReason> take_choices() {
    Unkept unkept(session_);
    double seconds = pass_seconds_;
    for (std::size_t row = 0;; ++row) {
      unkept.n = n_draft_ - row;
      if (!is_wanted()) {
        // What ends it here would have ended the pass over this token, had it been run by itself.
        unkept.cut_off = row > 0;
        if (unkept.cut_off) ++unkept.n;
        return StopReason::interrupted;
      }
      if (row > 0) {
        ++result_.n_decode_steps;
        ++result_.draft.n_accepted;
      }
      const Clock::time_point choice_start = Clock::now();
      TokenStep token;
      if (options_.all_logits) token.logits = session_.logits(unkept.n);
      token.id = choose(token.logits, unkept.n);
      const double choice_seconds = seconds_since(choice_start);
      token.seconds = (row == 0 ? pass_seconds_ : 0) + choice_seconds;
      seconds += choice_seconds;
      if (result_.tokens.empty()) decode_start_ = Clock::now();
      const std::optional<StopReason> stop = take(token, unkept.n);
      const bool is_right = row < n_draft_ && draft()[row] == token.id;
      if (!stop && is_right) continue;
      if (result_.draft.n_passes > 0) {
        session_.impl().draft_pace.saw_pass(n_draft_ + 1, seconds, row + 1);
      }
      return stop;
    }
  }

  // From all logits where they are there; else from what the sampler asks for, if that saves reading the
  // whole head.
  TokenId choose(std::span<const float> logits, std::size_t n_back) {
    std::optional<CandidateQuery> query;
    if (logits.empty() && session_.head() == HeadKind::screened) query = sampler_.query(history_);
    const std::optional<TokenId> id =
        query ? sampler_.sample(session_.candidates(*query, n_back), history_)
              : sampler_.sample(logits.empty() ? session_.logits(n_back) : logits, history_);
    if (!id) not_finite(session_.impl().model, history_, position_text(history_.size())).raise();
    return *id;
  }

  // The reason to stop after this token, if there is one. n_back: tokens of the sequence behind the one that
  // it was chosen after.
  std::optional<StopReason> take(const TokenStep& token, std::size_t n_back) {
    result_.tokens.push_back(token.id);
    history_.push_back(token.id);
    if (index_) {
      const DraftMatch match = index_->find();
      if (match.length > 0) {
        session_.impl().draft_pace.saw_guess(match.length, index_->token(match.next) == token.id);
      }
      index_->push(token.id);
    }
    const std::optional<StopReason> stop =
        ending_.after(token.id, result_.tokens.size() >= options_.max_tokens,
                      to_index(session_.position()) - n_back == session_.ctx_size());
    if (options_.on_token) options_.on_token(token);
    return stop;
  }

  std::optional<StopReason> run_pass() {
    tokens_[0] = result_.tokens.back();
    n_draft_ = make_draft();
    const Clock::time_point start = Clock::now();
    if (!session_.advance(std::span(tokens_).first(1 + n_draft_), options_.keep_going)) {
      return StopReason::interrupted;
    }
    pass_seconds_ = seconds_since(start);
    ++result_.n_decode_steps;
    ++result_.draft.n_passes;
    result_.draft.n_drafted += n_draft_;
    return std::nullopt;
  }

  // Behind tokens_[0]; gives its length.
  std::size_t make_draft() {
    if (!index_) return 0;
    const DraftMatch match = index_->find();
    if (match.length == 0) return 0;
    // The pass gives one choice more than the draft has tokens.
    const std::size_t most = std::min({options_.draft.max_tokens, session_.max_pass() - 1,
                                       session_.ctx_size() - to_index(session_.position()) - 1,
                                       options_.max_tokens - result_.tokens.size() - 1});
    const std::size_t n =
        options_.draft.adaptive ? session_.impl().draft_pace.plan(match.length, most) : most;
    const std::span<TokenId> guesses = std::span(tokens_).subspan(1, n);
    index_->copy(match, guesses);
    // The history is the caller's, and may hold what is no token of this model.
    const auto is_none = [&](TokenId id) { return to_index(id) >= session_.impl().config.vocab; };
    return static_cast<std::size_t>(std::ranges::find_if(guesses, is_none) - guesses.begin());
  }

  Session& session_;
  Sampler& sampler_;
  std::vector<TokenId>& history_;
  const GenerateOptions& options_;
  TextEnding& ending_;
  GenerateResult& result_;
  std::optional<DraftIndex> index_;  // of the history; none where nothing is drafted
  std::array<TokenId, 1 + DraftOptions::kMostTokens> tokens_{};  // of the last pass
  std::size_t n_draft_ = 0;                                      // of them, behind the first
  double pass_seconds_ = 0;
  Clock::time_point decode_start_ = Clock::now();
};

}  // namespace

std::string name_of(const DraftOptions& draft) {
  if (draft.max_tokens == 0) return "off";
  return draft.adaptive ? "auto" : std::to_string(draft.max_tokens);
}

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
  TextEnding ending(model.tokenizer(), options.stop_tokens, options.stop_strings, options.show_special, sink);
  if (options.draft.max_tokens > DraftOptions::kMostTokens) {
    throw OptionError("", "draft.max_tokens",
                      " " + std::to_string(options.draft.max_tokens) + " is too many; at most " +
                          std::to_string(DraftOptions::kMostTokens));
  }
  GenerateResult result;
  result.n_prompt = prompt.size();
  const std::size_t room = session.ctx_size() - to_index(session.position()) + 1;
  result.tokens.reserve(std::min(options.max_tokens, room));
  history.reserve(history.size() + prompt.size() + result.tokens.capacity());

  const Clock::time_point prefill_start = Clock::now();
  const std::size_t start = to_index(session.position());
  check_tokens(session.impl().config, session.ctx_size(), start, prompt);
  // What the session is to hold, where it may come from a file.
  std::vector<TokenId> sequence;
  std::span<const TokenId> to_run = prompt;
  if (options.prompt_cache != nullptr && history.size() == start) {
    sequence.reserve(start + prompt.size());
    sequence.assign(history.begin(), history.end());
    sequence.insert(sequence.end(), prompt.begin(), prompt.end());
    result.n_cached = options.prompt_cache->load(session, sequence);
    to_run = std::span(sequence).subspan(to_index(session.position()));
  }
  std::function<void(double)> on_progress;
  if (options.on_prompt) on_progress = [&](double n_done) { options.on_prompt(n_done, to_run.size()); };
  const bool complete = session.advance(to_run, options.keep_going, on_progress);
  result.prefill_seconds = seconds_since(prefill_start);
  history.insert(history.end(), prompt.begin(), prompt.end());
  if (!complete) {
    result.n_prompt = std::max(to_index(session.position()), start) - start;
    result.reason = StopReason::interrupted;
    return result;
  }
  if (!sequence.empty()) options.prompt_cache->save(session, sequence);
  Generation generation(session, sampler, history, options, ending, result);
  result.reason = ending.finish(generation.run());
  result.decode_seconds = seconds_since(generation.decode_start());
  return result;
}

}  // namespace bitnet
