// Conversations written out as token ids, a template at a time.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"

namespace bitnet {

// A template wants a control token that there is none of.
class NoSuchToken : public UsageError {
 public:
  using UsageError::UsageError;
};

inline constexpr std::string_view kStartHeader = "<|start_header_id|>";
inline constexpr std::string_view kEndOfTurn = "<|eot_id|>";
inline constexpr std::string_view kImStart = "<|im_start|>";
inline constexpr std::string_view kImEnd = "<|im_end|>";
inline constexpr std::string_view kFalcon3User = "<|user|>";
inline constexpr std::string_view kMiniCpmUser = "<用户>";
inline constexpr std::string_view kThink = "<think>";
inline constexpr std::string_view kEndThink = "</think>";

// Throws NoSuchToken, and UsageError for a text that has no tokens.
std::vector<TokenId> write_chat(ChatForm form, const Tokenizer& tokenizer, std::span<const Message> messages);

}  // namespace bitnet
