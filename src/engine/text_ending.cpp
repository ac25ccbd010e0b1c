#include "engine/text_ending.h"

#include <algorithm>

namespace bitnet {
namespace {

bool contains(std::span<const TokenId> ids, TokenId id) { return std::ranges::find(ids, id) != ids.end(); }

std::optional<StopReason> reason_of(TextStream::State state) {
  switch (state) {
    case TextStream::State::stopped:
      return StopReason::stop_string;
    case TextStream::State::refused:
      return StopReason::interrupted;
    case TextStream::State::open:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<StopReason> TextEnding::after(TokenId id, bool is_last_asked_for, bool is_context_full) {
  if (contains(stop_tokens_, id) || contains(control_stops_, id)) return StopReason::stop_token;
  if (const std::optional<StopReason> reason = reason_of(text_.push(id))) return reason;
  if (is_last_asked_for) return StopReason::max_tokens;
  if (is_context_full) return StopReason::context_full;
  return std::nullopt;
}

StopReason TextEnding::finish(StopReason reason) {
  if (reason == StopReason::stop_string || reason == StopReason::interrupted) return reason;
  return reason_of(text_.finish()).value_or(reason);
}

}  // namespace bitnet
