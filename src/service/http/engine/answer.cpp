#include "service/http/engine/answer.h"

#include <utility>

namespace bitnet::http {
namespace {

std::size_t bytes_of(const AnswerPart& part) {
  return sizeof part + part.text.size() + (part.token ? part.token->top.size() * sizeof(TokenLogprob) : 0);
}

}  // namespace

bool Answer::push(AnswerPart part) {
  {
    const std::lock_guard lock(mutex_);
    if (n_bytes_ > most_unread_bytes_) is_reader_gone_ = true;
    if (is_abandoned_ || is_reader_gone_) {
      is_abandoned_ = true;
      if (!part.end) return false;
    }
    n_bytes_ += bytes_of(part);
    parts_.push_back(std::move(part));
  }
  changed_.notify_one();
  return true;
}

void Answer::fail(std::exception_ptr reason) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(reason);
  }
  changed_.notify_one();
}

std::optional<AnswerPart> Answer::next(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return !parts_.empty() || failure_ != nullptr; });
  if (!parts_.empty()) {
    AnswerPart part = std::move(parts_.front());
    parts_.pop_front();
    n_bytes_ -= bytes_of(part);
    return part;
  }
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  return std::nullopt;
}

void Answer::abandon(bool is_reader_gone) {
  const std::lock_guard lock(mutex_);
  is_abandoned_ = true;
  is_reader_gone_ = is_reader_gone_ || is_reader_gone;
}

bool Answer::is_reader_gone() const {
  const std::lock_guard lock(mutex_);
  return is_reader_gone_;
}

bool Answer::is_abandoned() const {
  const std::lock_guard lock(mutex_);
  return is_abandoned_;
}

}  // namespace bitnet::http
