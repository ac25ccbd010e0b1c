#include "service/http/engine/engine_loop.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/no_signals.h"
#include "base/seconds_since.h"

namespace bitnet::http {
namespace {

constexpr double kShareOfLast = 0.1;  // in the average of what passes take
constexpr double kLongestWait = 120;  // seconds that a client is told to stay away

std::exception_ptr failure_of(const std::string& message) {
  return std::make_exception_ptr(RuntimeError(message));
}

}  // namespace

Tickets::~Tickets() {
  if (!answers_.empty()) loop_->give_up(answers_, is_reader_gone_);
}

EngineLoop::EngineLoop(const Model& model, Scheduler& scheduler, std::size_t most_waiting, Metrics& metrics,
                       std::function<void()> on_failure)
    : model_(model),
      scheduler_(scheduler),
      most_waiting_(most_waiting),
      n_sequences_(scheduler.n_sequences()),
      metrics_(metrics),
      on_failure_(std::move(on_failure)) {
  publish(0);
  const NoSignals none;
  thread_ = std::thread([this] { work(); });
}

EngineLoop::~EngineLoop() { stop(); }

void EngineLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Tickets EngineLoop::submit(std::vector<EngineJob> jobs) {
  std::vector<std::shared_ptr<Answer>> answers;
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    if (jobs.size() > most_open() - std::min(n_open_, most_open())) {
      throw QueueFull("all " + std::to_string(n_sequences_) + " places and a queue of " +
                          std::to_string(most_waiting_) + " are taken; come back later",
                      retry_after_);
    }
    const auto now = Clock::now();
    for (EngineJob& job : jobs) {
      answers.push_back(std::make_shared<Answer>(job.most_unread_bytes));
      auto open = std::make_shared<Open>();
      open->job = std::move(job);
      open->answer = answers.back();
      open->arrival = now;
      inbox_.push_back(std::move(open));
    }
    n_open_ += answers.size();
  }
  changed_.notify_one();
  return {*this, std::move(answers)};
}

void EngineLoop::give_up(std::span<const std::shared_ptr<Answer>> answers, bool is_reader_gone) {
  for (const auto& answer : answers) answer->abandon(is_reader_gone);
  {
    const std::lock_guard lock(mutex_);
    given_up_.insert(given_up_.end(), answers.begin(), answers.end());
  }
  changed_.notify_one();
}

EngineState EngineLoop::state() const {
  const std::lock_guard lock(mutex_);
  EngineState state = state_;
  state.n_waiting = n_open_ - std::min(n_open_, state.n_running);
  return state;
}

std::exception_ptr EngineLoop::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void EngineLoop::work() {
  try {
    for (bool is_busy = false;;) {
      {
        std::unique_lock lock(mutex_);
        const auto has_news = [this] { return stopping_ || !inbox_.empty() || !given_up_.empty(); };
        if (!is_busy) changed_.wait(lock, has_news);
        if (stopping_) break;
      }
      take_inbox();
      const auto start = Clock::now();
      is_busy = scheduler_.step();
      publish(seconds_since(start));
    }
    fail_all(failure_of("the server is stopping"));
  } catch (const std::exception& e) {
    fail_all(failure_of(std::string("the engine failed: ") + e.what()));
    on_failure_();
  }
}

void EngineLoop::take_inbox() {
  std::vector<std::shared_ptr<Open>> added;
  std::vector<std::shared_ptr<Answer>> given_up;
  {
    const std::lock_guard lock(mutex_);
    added.swap(inbox_);
    given_up.swap(given_up_);
  }
  for (const auto& open : added) {
    open_.push_back(open);
    add(open);
  }
  for (const auto& answer : given_up) {
    const auto open = std::ranges::find(open_, answer, &Open::answer);
    if (open != open_.end() && (*open)->id) scheduler_.cancel(*(*open)->id);
  }
}

void EngineLoop::add(const std::shared_ptr<Open>& open) {
  SequenceRequest request = std::move(open->job.sequence);
  const std::size_t room = scheduler_.ctx_size() - std::min(request.prompt.size(), scheduler_.ctx_size());
  open->most_tokens = std::min(request.max_tokens, room);
  Open* const it = open.get();  // it lives until on_end
  request.on_text = [it](std::string_view text) {
    it->text += text;
    return !it->answer->is_abandoned();
  };
  request.on_token = [this, it](const TokenStep& step) { push_token(*it, step); };
  request.on_end = [this, it](const SequenceEnd& how) { end(*it, how); };
  const TokenId first = request.prompt.empty() ? TokenId{} : request.prompt.front();
  if (open->job.tells_prompt) {
    request.on_prompt_token = [this, it](TokenId id, std::span<const float> logits) {
      push_token(*it, {.id = id, .is_of_prompt = true}, logits);
    };
  }
  std::exception_ptr refusal;
  try {
    if (open->answer->is_abandoned()) throw RuntimeError("nobody waits for it");
    if (open->job.n_logprobs) open->logprobs.emplace(*open->job.n_logprobs, model_.info().vocab);
    open->id = scheduler_.add(std::move(request));
  } catch (...) {
    refusal = std::current_exception();
  }
  if (refusal != nullptr) {
    open->answer->fail(std::move(refusal));
    forget(*open);
    return;
  }
  if (open->job.tells_prompt) push_token(*open, {.id = first, .is_of_prompt = true}, {});
}

void EngineLoop::push_token(Open& open, const TokenStep& step) {
  const auto now = Clock::now();
  if (open.n_tokens++ == 0) {
    metrics_.add_first_token(std::chrono::duration<double>(now - open.arrival).count());
  } else {
    metrics_.add_token(std::chrono::duration<double>(now - open.last_token).count());
  }
  open.last_token = now;
  push_token(open, {.id = step.id}, step.logits);
}

void EngineLoop::push_token(Open& open, AnswerToken token, std::span<const float> logits) {
  if (open.logprobs && !logits.empty()) {
    open.logprobs->set(logits);
    token.logprob = open.logprobs->of(token.id);
    token.top.assign(open.logprobs->top().begin(), open.logprobs->top().end());
  }
  const bool is_wanted =
      open.answer->push({.text = std::exchange(open.text, {}), .token = std::move(token), .end = {}});
  if (!is_wanted) scheduler_.cancel(*open.id);
}

void EngineLoop::end(Open& open, const SequenceEnd& how) {
  metrics_.add_request(seconds_since(open.arrival));
  if (open.answer->is_reader_gone()) metrics_.count_gone();
  if (how.error.empty()) {
    open.answer->push({.text = std::exchange(open.text, {}), .token = {}, .end = how});
  } else {
    open.answer->fail(failure_of(how.error));
  }
  forget(open);
}

void EngineLoop::forget(const Open& open) {
  {
    const std::lock_guard lock(mutex_);
    --n_open_;
  }
  std::erase_if(open_, [&](const auto& other) { return other.get() == &open; });
}

void EngineLoop::publish(double step_seconds) {
  token_seconds_ += (step_seconds - token_seconds_) * (token_seconds_ == 0 ? 1 : kShareOfLast);
  // When the next sequence ends, at the latest.
  std::size_t fewest_left = 0;
  for (const auto& open : open_) {
    const std::size_t left = open->most_tokens - std::min(open->n_tokens, open->most_tokens);
    if (open->n_tokens > 0 && (fewest_left == 0 || left < fewest_left)) fewest_left = left;
  }
  const double seconds = std::ceil(static_cast<double>(fewest_left) * token_seconds_);
  const std::lock_guard lock(mutex_);
  retry_after_ = std::chrono::seconds(static_cast<int>(std::clamp(seconds, 1.0, kLongestWait)));
  state_ = {.counts = scheduler_.counts(),
            .n_running = scheduler_.n_running(),
            .n_waiting = 0,
            .n_sequences = n_sequences_,
            .most_waiting = most_waiting_,
            .kv_tokens = scheduler_.kv_tokens(),
            .kv_tokens_used = scheduler_.kv_tokens_used()};
}

void EngineLoop::fail_all(const std::exception_ptr& reason) {
  std::vector<std::shared_ptr<Open>> all = std::move(open_);
  {
    const std::lock_guard lock(mutex_);
    failure_ = reason;
    all.insert(all.end(), inbox_.begin(), inbox_.end());
    inbox_.clear();
    n_open_ = 0;
  }
  for (const auto& open : all) open->answer->fail(reason);
}

}  // namespace bitnet::http
