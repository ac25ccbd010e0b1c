// What a sequence comes to, on its way from the engine to the connection that asked for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/scheduler.h"
#include "bitnet/types.h"
#include "engine/logprobs.h"

namespace bitnet::http {

struct AnswerToken {
  TokenId id{};
  std::optional<double> logprob{};  // where it was asked for, and `top` with it; the prompt's first has none
  std::vector<TokenLogprob> top{};
  bool is_of_prompt = false;
};

// A token and the text that became certain with it, or the end with the text that did so then. A token of the
// prompt has no text.
struct AnswerPart {
  std::string text{};
  std::optional<AnswerToken> token{};
  std::optional<SequenceEnd> end{};
};

class Answer {
 public:
  // Beyond so many bytes that nobody has read the reader is taken for one who has stopped reading.
  explicit Answer(std::size_t most_unread_bytes) : most_unread_bytes_(most_unread_bytes) {}

  // Of the engine. False: nobody wants the rest, or too much of it is yet to be read.
  bool push(AnswerPart part);
  // No more comes, for this reason, which is the reader's alone from then on.
  void fail(std::exception_ptr reason);
  // Of the reader, which waits so long at most. Throws what it failed with, once.
  std::optional<AnswerPart> next(std::chrono::milliseconds patience);
  // The reader wants no more, or is gone.
  void abandon(bool is_reader_gone);
  bool is_abandoned() const;
  // So is one that reads no more.
  bool is_reader_gone() const;

 private:
  const std::size_t most_unread_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AnswerPart> parts_;
  std::size_t n_bytes_ = 0;  // of their texts, and some for what stands beside each
  std::exception_ptr failure_;
  bool is_abandoned_ = false;
  bool is_reader_gone_ = false;
};

}  // namespace bitnet::http
