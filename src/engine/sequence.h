// One of the sequences that a Scheduler runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/candidates.h"
#include "bitnet/model.h"
#include "bitnet/scheduler.h"
#include "engine/text_ending.h"

namespace bitnet {

// What is asked of a sequence and how far it came: its tokens, which of them are run, and what each choice
// leads to. Nothing of a caller's function gets out of it: one that throws ends the sequence.
class Sequence {
 public:
  // Throws what Scheduler::add does.
  Sequence(SequenceId id, const Model& model, SequenceRequest request, std::size_t ctx_size);
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  SequenceId id() const { return id_; }
  std::span<const TokenId> tokens() const { return history_; }  // the prompt and what was generated
  std::size_t n_prompt() const { return result_.n_prompt; }
  // Of the tokens, those that no choice has followed yet are to be run: all behind the first n_run.
  std::size_t n_run() const { return n_run_; }
  std::size_t n_left() const { return history_.size() - n_run_; }

  // Its first pass is about to begin.
  void start();
  // That many of its tokens more are run, or there without.
  void ran(std::size_t n) { n_run_ += n; }
  void cached(std::size_t n);
  // They are no longer there.
  void put_back() {
    n_run_ = 0;
    was_put_back_ = true;
  }

  // Of its tokens, how many at the front need not be run where others have: not the last, which is run for
  // what follows it, nor those whose logits are still to be told.
  std::size_t n_takeable() const { return has_told_all() ? history_.size() - 1 : n_told_; }
  // Whether the logits of the token at that place are to be told, which tell() then does, in order.
  bool is_told_of(std::size_t i) const { return !has_told_all() && i >= n_told_ && i + 1 < n_prompt(); }
  // True: the sequence has come to its end, as has_failed() says from then on.
  bool tell(std::span<const float> logits);
  bool has_failed() const { return !error_.empty(); }

  // What the choice is made from, once all tokens are run; nullopt: all logits.
  std::optional<CandidateQuery> query() const;
  // Whether there is no choice to make.
  bool wants_nothing() const { return request_.max_tokens == 0; }
  // Makes the choice, and passes on what follows from it. True: the sequence has come to its end.
  bool choose(std::span<const float> logits);
  bool choose(std::span<const Candidate> candidates);

  // Ends it for a reason from outside. Either way end() is called once, last of all.
  void stop(StopReason reason) { reason_ = reason; }
  void end();

 private:
  bool take(std::optional<TokenId> id, std::span<const float> logits);
  bool has_told_all() const { return !request_.on_prompt_token || n_told_ + 1 >= n_prompt(); }

  SequenceId id_;
  const Model::Impl& model_;
  SequenceRequest request_;
  std::size_t ctx_size_;
  Sampler sampler_;
  std::vector<TokenId> history_;
  std::size_t n_run_ = 0;
  std::size_t n_told_ = 0;  // of the prompt's tokens, those whose logits on_prompt_token got
  bool was_put_back_ = false;
  TextEnding ending_;
  std::optional<StopReason> reason_;
  GenerateResult result_;
  std::string error_;

  using Clock = std::chrono::steady_clock;
  Clock::time_point added_ = Clock::now();
  std::optional<Clock::time_point> started_;
  Clock::time_point last_choice_;
};

}  // namespace bitnet
