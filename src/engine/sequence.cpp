#include "engine/sequence.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/all_finite.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "engine/session_choices.h"
#include "model/model_impl.h"

namespace bitnet {

Sequence::Sequence(SequenceId id, const Model& model, SequenceRequest request, std::size_t ctx_size)
    : id_(id),
      model_(model.impl()),
      request_(std::move(request)),
      ctx_size_(ctx_size),
      sampler_(request_.sampler, model.info().vocab),
      history_(std::move(request_.prompt)),
      ending_(model.tokenizer(), request_.stop_tokens, request_.stop_strings, request_.show_special,
              request_.on_text) {
  check_tokens(model.impl().config, ctx_size, 0, history_);
  result_.n_prompt = history_.size();
}

void Sequence::start() {
  if (started_) return;
  started_ = last_choice_ = Clock::now();
  // What is generated costs no more memory than its tokens, and no allocation between them.
  const std::size_t room = std::min(request_.max_tokens, ctx_size_ - history_.size() + 1);
  result_.tokens.reserve(room);
  history_.reserve(history_.size() + room);
}

void Sequence::cached(std::size_t n) {
  ran(n);
  // Later it may find what it has run itself.
  if (!was_put_back_) result_.n_cached += n;
}

bool Sequence::tell(std::span<const float> logits) {
  if (!all_finite(logits)) {
    error_ = not_finite(model_, std::span(history_).first(n_told_ + 1), position_text(n_told_)).what;
  } else {
    ++n_told_;
    try {
      request_.on_prompt_token(history_[n_told_], logits);
    } catch (const std::exception& e) {
      error_ = e.what();
    }
  }
  if (has_failed()) reason_ = StopReason::interrupted;
  return has_failed();
}

std::optional<CandidateQuery> Sequence::query() const {
  // Those of the prompt's tokens come first, all in their order.
  if (request_.all_logits || request_.on_prompt_token) return std::nullopt;
  return sampler_.query(history_);
}

bool Sequence::choose(std::span<const float> logits) {
  return take(sampler_.sample(logits, history_), request_.all_logits ? logits : std::span<const float>{});
}

bool Sequence::choose(std::span<const Candidate> candidates) {
  return take(sampler_.sample(candidates, history_), {});
}

bool Sequence::take(std::optional<TokenId> id, std::span<const float> logits) {
  const double seconds = seconds_since(std::exchange(last_choice_, Clock::now()));
  if (!id) {
    error_ = not_finite(model_, history_, position_text(history_.size())).what;
    reason_ = StopReason::interrupted;
    return true;
  }
  (result_.tokens.empty() ? result_.prefill_seconds : result_.decode_seconds) += seconds;
  if (!result_.tokens.empty()) ++result_.n_decode_steps;
  result_.tokens.push_back(*id);
  history_.push_back(*id);
  try {
    reason_ = ending_.after(*id, result_.tokens.size() >= request_.max_tokens, n_run_ == ctx_size_);
    if (request_.on_token) request_.on_token({.id = *id, .logits = logits, .seconds = seconds});
  } catch (const std::exception& e) {
    error_ = e.what();
    reason_ = StopReason::interrupted;
  }
  return reason_.has_value();
}

void Sequence::end() {
  SequenceEnd end;
  try {
    result_.reason = ending_.finish(reason_.value_or(StopReason::max_tokens));
  } catch (const std::exception& e) {
    error_ = e.what();
    result_.reason = StopReason::interrupted;
  }
  if (!request_.on_end) return;
  end.wait_seconds = std::chrono::duration<double>(started_.value_or(Clock::now()) - added_).count();
  end.result = std::move(result_);
  end.error = std::move(error_);
  request_.on_end(end);
}

}  // namespace bitnet
