// The thread that owns the scheduler, and how other threads reach it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/model.h"
#include "bitnet/scheduler.h"
#include "service/http/engine/answer.h"
#include "service/http/engine/metrics.h"

namespace bitnet::http {

// There is no place for more.
class QueueFull : public RuntimeError {
 public:
  QueueFull(const std::string& message, std::chrono::seconds retry_after)
      : RuntimeError(message), retry_after_(retry_after) {}
  std::chrono::seconds retry_after() const { return retry_after_; }  // when there may be

 private:
  std::chrono::seconds retry_after_;
};

struct EngineJob {
  SequenceRequest sequence{};               // its functions are the loop's to set
  std::optional<std::size_t> n_logprobs{};  // alternatives to each token
  bool tells_prompt = false;                // its answer begins with the prompt's tokens, with logprobs
  // Of its answer, that the reader may leave unread: one who is slower is given up.
  std::size_t most_unread_bytes = static_cast<std::size_t>(-1);
};

class EngineLoop;

// Answers that somebody waits for. Those that have not ended when this goes are given up.
class Tickets {
 public:
  Tickets(EngineLoop& loop, std::vector<std::shared_ptr<Answer>> answers)
      : loop_(&loop), answers_(std::move(answers)) {}
  Tickets(Tickets&& other) noexcept = default;
  Tickets& operator=(Tickets&& other) = delete;
  Tickets(const Tickets&) = delete;
  Tickets& operator=(const Tickets&) = delete;
  ~Tickets();

  std::size_t size() const { return answers_.size(); }
  Answer& operator[](std::size_t i) { return *answers_[i]; }
  // Who waited for them has gone: they are given up for that.
  void note_reader_gone() { is_reader_gone_ = true; }

 private:
  EngineLoop* loop_;
  std::vector<std::shared_ptr<Answer>> answers_;  // empty when they were handed on
  bool is_reader_gone_ = false;
};

// For any thread, but for the constructor and what is said otherwise.
class EngineLoop {
 public:
  // Model, scheduler and metrics must outlive it. `on_failure` is called on the loop's thread when the
  // scheduler fails: no more answers come then.
  EngineLoop(const Model& model, Scheduler& scheduler, std::size_t most_waiting, Metrics& metrics,
             std::function<void()> on_failure);
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;
  ~EngineLoop();  // gives up what has not ended

  void stop();  // the same, and it takes no more; of one thread

  // All of them, in this order, or none. Throws QueueFull, RuntimeError after a failure. What the scheduler
  // has against a sequence its answer throws.
  Tickets submit(std::vector<EngineJob> jobs);
  EngineState state() const;
  std::size_t most_open() const { return n_sequences_ + most_waiting_; }  // running and waiting
  // What the scheduler failed with, if it did.
  std::exception_ptr failure() const;

 private:
  using Clock = std::chrono::steady_clock;
  friend class Tickets;

  // A sequence that has not ended.
  struct Open {
    EngineJob job{};
    std::shared_ptr<Answer> answer{};
    Clock::time_point arrival{};
    std::optional<SequenceId> id{};  // once it was added
    std::size_t n_tokens = 0;
    std::size_t most_tokens = 0;
    Clock::time_point last_token{};
    std::string text{};  // that became certain and stands in no part
    std::optional<Logprobs> logprobs{};
  };

  void give_up(std::span<const std::shared_ptr<Answer>> answers, bool is_reader_gone);
  void work();
  void take_inbox();
  void add(const std::shared_ptr<Open>& open);
  void push_token(Open& open, const TokenStep& step);
  void push_token(Open& open, AnswerToken token, std::span<const float> logits);
  void end(Open& open, const SequenceEnd& how);
  void forget(const Open& open);
  void publish(double step_seconds);
  void fail_all(const std::exception_ptr& reason);

  const Model& model_;
  Scheduler& scheduler_;
  const std::size_t most_waiting_;
  const std::size_t n_sequences_;
  Metrics& metrics_;
  std::function<void()> on_failure_;

  // The loop's thread alone.
  std::vector<std::shared_ptr<Open>> open_;
  double token_seconds_ = 0;  // that a pass takes, of late

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Open>> inbox_;
  std::vector<std::shared_ptr<Answer>> given_up_;
  std::size_t n_open_ = 0;  // those in the inbox too
  EngineState state_;
  std::chrono::seconds retry_after_{1};
  std::exception_ptr failure_;
  bool stopping_ = false;

  std::thread thread_;  // last: it uses all the others
};

}  // namespace bitnet::http
